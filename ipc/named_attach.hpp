// The side that looks for a published channel: from its name to the parcel with an end of it.
#pragma once

#include <poll.h>
#include <sys/socket.h>

#include <array>
#include <cerrno>
#include <filesystem>
#include <optional>
#include <stdexcept>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "ipc/backoff.hpp"
#include "ipc/named_folder.hpp"
#include "ipc/named_protocol.hpp"

namespace ipc {

struct AttachOptions {
  std::size_t message_bytes = 1;  // the channel must carry messages of this length
  std::filesystem::path folder = NamedFolder::default_path();
};

namespace detail {

class Attacher {
 public:
  Attacher(std::string_view name, NamedRequest request, const AttachOptions& options)
      : name_(name), request_(request), options_(options) {}

  // The end, packed, as the owner handed it out.
  Parcel attach(Deadline deadline) {
    find_owner();
    const Fd socket = connect(deadline);
    Parcel question;
    request_.pack(question);
    if (!question.send(socket)) refuse(ECONNRESET, owner() + " has withdrawn it meanwhile");
    Parcel answer = receive_answer(socket, deadline);
    verify(answer);
    return answer;
  }

 private:
  [[noreturn]] void refuse(int error, const std::string& why) const {
    throw_errno("attach to \"" + name_ + "\" in " + options_.folder.string() + ": " + why, error);
  }
  [[nodiscard]] std::string owner() const { return "process " + std::to_string(entry_.owner.pid); }
  [[noreturn]] void refuse_dead() const {
    refuse(ESRCH, "its owner, " + owner() +
                      ", is dead; publish it again, and remove what is left with ipc-janitor");
  }

  void find_owner() {
    if (const auto fault = NamedEntry::fault_of(name_)) {
      throw std::invalid_argument("the name \"" + name_ + "\" " + *fault);
    }
    folder_ = NamedFolder::find(options_.folder);
    const auto entries = folder_ ? folder_->entries_of(name_) : std::vector<NamedEntry>();
    for (const auto& entry : entries) {
      entry_ = entry;
      auto [state, process] = entry.owner.look();
      if (state == Owner::State::dead) continue;
      if (!folder_->is_socket_of_ours(entry.text())) {
        refuse(EPERM, "the entry " + entry.text() + " is not a socket of ours; remove it");
      }
      process_ = std::move(process);
      return;
    }
    if (!entries.empty()) refuse_dead();
    refuse(ENOENT, "no such name; publish it first, in this folder (XDG_RUNTIME_DIR chooses it)");
  }

  Fd connect(Deadline deadline) const {
    Fd socket(check("socket", [] {
      return ::socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    }));
    const sockaddr_un address = folder_->address_of(entry_);
    for (Backoff backoff; ::connect(socket.get(), reinterpret_cast<const sockaddr*>(&address),
                                    sizeof address) != 0;) {
      if (errno == ENOENT) refuse(ENOENT, owner() + " has withdrawn it just now");
      // EAGAIN: more are waiting than the socket keeps. ECONNREFUSED: it does not listen yet.
      if (errno != EAGAIN && errno != ECONNREFUSED && errno != EINTR) throw_errno("connect");
      if (is_dead()) refuse_dead();
      if (!backoff.wait(deadline)) refuse_late();
    }
    if (const uid_t user = peer_user(socket); user != ::geteuid()) {
      refuse(EPERM, "it is served by user " + std::to_string(user) + ", we are user " +
                        std::to_string(::geteuid()) + "; remove its entry");
    }
    return socket;
  }

  Parcel receive_answer(const Fd& socket, Deadline deadline) const {
    wait(socket, POLLIN, deadline);
    auto answer = Parcel::receive(socket);
    if (!answer && is_dead()) refuse_dead();
    if (!answer) refuse(ECONNRESET, owner() + " has withdrawn it, or refused us");
    // It hangs up when it has let go of its copies of what it sent: before that, an end that we
    // destroy would not be the last of its side, and would not say so to the other side.
    wait(socket, 0, deadline);
    return std::move(*answer);
  }

  // Until something came, or the owner has hung up.
  void wait(const Fd& socket, short what, Deadline deadline) const {
    // The owner as well: a child of it that it forked may keep the socket open after its death.
    std::array<pollfd, 2> events{pollfd{.fd = socket.get(), .events = what, .revents = 0},
                                 pollfd{.fd = process_.get(), .events = POLLIN, .revents = 0}};
    if (!poll(events, deadline)) refuse_late();
    if (events[0].revents == 0) refuse_dead();
  }

  [[noreturn]] void refuse_late() const {
    refuse(ETIMEDOUT, owner() + " did not answer before the deadline; it has to call serve()");
  }
  [[nodiscard]] bool is_dead() const {
    return process_.valid() && poll(process_.get(), POLLIN, Deadline::now());
  }

  // Returns if the end follows.
  void verify(Parcel& answer) const {
    const auto offer = read(answer);
    switch (offer.what) {
      case Verdict::granted:
        return;
      case Verdict::taken:
        refuse(EBUSY, "the mechanism has one " + side() +
                          ", and it is taken; choose a mechanism "
                          "of many, or publish one channel for each process");
      case Verdict::other_channel:
        refuse(EPROTOTYPE, "it is a channel of " + offer.channel.text() + ", not of " +
                               request_.channel.text() + "; attach to it as what it is");
      case Verdict::messages_too_short:
        refuse(EMSGSIZE, "it carries messages of " + std::to_string(offer.message_bytes) +
                             " bytes, we need " + std::to_string(request_.message_bytes) +
                             "; publish it with larger Options::message_bytes");
    }
    refuse(EPROTO, "its answer is of no known kind");
  }

  NamedOffer read(Parcel& answer) const {
    constexpr NamedGreeting ours;
    NamedGreeting theirs;
    try {
      theirs = answer.take<NamedGreeting>();
      if (theirs == ours) return NamedOffer::take(answer);
    } catch (const std::runtime_error&) {
      refuse(EPROTO, owner() + " gave an answer that was cut short");
    }
    if (theirs.magic != ours.magic) {
      refuse(EPROTO, owner() + " does not speak the protocol of named channels");
    }
    const bool older = theirs.layout < ours.layout;
    refuse(EPROTO, owner() + " has layout " + std::to_string(theirs.layout) + ", we have layout " +
                       std::to_string(ours.layout) + "; build the " +
                       (older ? "former" : "latter") + " anew, it is the older one");
  }

  [[nodiscard]] std::string side() const {
    return request_.what == Side::sender ? "sender" : "receiver";
  }

  std::string name_;
  NamedRequest request_;
  const AttachOptions& options_;
  std::optional<NamedFolder> folder_;
  NamedEntry entry_;
  Fd process_;  // the owner's pidfd, when it can be seen
};

}  // namespace detail

}  // namespace ipc
