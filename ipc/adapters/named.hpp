// Channels that unrelated processes of one user find by name: create, attach, detach.
//
//   auto ticks = ipc::Named<ipc::Pipe>::create("ticks");                        // in one process
//   auto receiver = ipc::Named<ipc::Pipe>::attach_receiver("ticks", deadline);  // in another
//
// An entry in a private folder of the user (ipc/named_folder.hpp) leads to the process that created
// the channel; it hands the ends out, packed (ipc/parcel.hpp), and what works from then on is the
// bare channel. So this works for every mechanism that crosses processes.
//
// - The name is gone when its creator destroys the Published; ends that were handed out live on. A
//   creator that was killed leaves its entry, which create() of that name and sweep()
//   (ipc/janitor.hpp, and the program ipc-janitor) remove. To detach is to destroy the end.
// - An end of Arity::one is handed out once, to the first who asks; of Arity::many each gets a
//   clone. The creator keeps one to clone from: with those, nobody sees `closed` before the name is
//   withdrawn.
// - Both sides ask the kernel who the other is and refuse other users.
#pragma once

#include <poll.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include <chrono>
#include <filesystem>
#include <optional>
#include <stdexcept>
#include <string>
#include <string_view>
#include <system_error>
#include <utility>
#include <vector>

#include "ipc/any_channel.hpp"
#include "ipc/joined_name.hpp"
#include "ipc/named_attach.hpp"
#include "ipc/named_folder.hpp"
#include "ipc/named_protocol.hpp"

namespace ipc {

// A channel that can be found by its name, in the process that created it.
// Ends are handed out while serve() runs, and by no thread of our own: the owner's process can go
// on to fork (Process wants one thread), what fails is told to its caller, and who wants a thread
// for it makes one. Belongs to one thread at a time; a forked child's copy serves nobody and
// withdraws nothing.
class Published {
 public:
  // Opens the channel and takes the name. Waits 5 s at most, for other creators.
  // Throws std::invalid_argument for a name that cannot be one, NotSupported for a mechanism
  // between threads, and std::system_error: EADDRINUSE when the name is taken; what
  // NamedFolder::make and the mechanism's open throw.
  Published(const AnyChannel& channel, std::string_view name, const Options& options = {},
            const std::filesystem::path& folder = NamedFolder::default_path())
      : Published(channel, name, options, folder, open(channel, name, options)) {
    const auto lock = folder_.lock(Deadline::in(std::chrono::seconds(5)));
    check_name_is_free();
    listener_ = make_entry();  // from here on the destructor has something to remove
    constexpr int waiting_max = 128;
    check("listen", [&] { return ::listen(listener_.get(), waiting_max); });
  }

  Published(Published&&) noexcept = default;
  Published& operator=(Published&& other) = delete;
  ~Published() {
    if (!listener_.valid() || entry_.owner.pid != ::getpid()) return;
    try {
      folder_.remove(entry_.text());
    } catch (const std::system_error&) {
      // It stays for the janitor.
    }
  }

  // Hands out one end to a process that attaches; false when none was by the deadline. Who asks for
  // what there is not is told so, and is not counted.
  bool serve(Deadline deadline) {
    for (;;) {
      std::vector<pollfd> events{{.fd = listener_.get(), .events = POLLIN, .revents = 0}};
      for (const Fd& asker : askers_) {
        events.push_back({.fd = asker.get(), .events = POLLIN, .revents = 0});
      }
      if (!poll(events, deadline)) return false;
      for (std::size_t i = 0; i < askers_.size(); ++i) {
        if (events[i + 1].revents == 0) continue;
        const Fd asker = std::move(askers_[i]);
        askers_.erase(askers_.begin() + static_cast<std::ptrdiff_t>(i));
        if (answer(asker)) return true;
        break;
      }
      if (events[0].revents != 0) admit();
    }
  }

  // An end for the creator itself. Throws std::system_error(EBUSY) when it is taken.
  AnySender take_sender() { return take(senders_); }
  AnyReceiver take_receiver() { return take(receivers_); }

  // The name of the entry in the folder.
  [[nodiscard]] std::string entry() const { return entry_.text(); }

 private:
  // The ends of one side that can be handed out.
  template <class End>
  struct Stock {
    Arity arity;
    std::optional<End> end;

    std::optional<End> take() {
      if (end && arity == Arity::many) return end->clone();
      return std::exchange(end, std::nullopt);
    }
  };

  Published(const AnyChannel& channel, std::string_view name, const Options& options,
            const std::filesystem::path& folder, std::pair<AnySender, AnyReceiver> ends)
      : channel_(channel),
        message_bytes_(options.message_bytes),
        senders_{channel.traits.senders, std::move(ends.first)},
        receivers_{channel.traits.receivers, std::move(ends.second)},
        folder_(NamedFolder::make(folder)),
        entry_{std::string(name), Owner::self()} {}

  static std::pair<AnySender, AnyReceiver> open(const AnyChannel& channel, std::string_view name,
                                                Options options) {
    if (const auto fault = NamedEntry::fault_of(name)) {
      throw std::invalid_argument("the name \"" + std::string(name) + "\" " + *fault);
    }
    if (!channel.traits.crosses_processes) {
      throw NotSupported(std::string(channel.name) + " works between the threads of one process");
    }
    options.handed_over = true;
    return channel.open(options);
  }

  // Requires the lock.
  void check_name_is_free() const {
    for (const auto& other : folder_.entries_of(entry_.name)) {
      const auto state = other.owner.look().state;
      if (state != Owner::State::dead) {
        throw_errno("publish \"" + entry_.name + "\" in " + folder_.path().string() +
                        ": taken by process " + std::to_string(other.owner.pid) +
                        (state == Owner::State::alive ? ", which is alive"
                                                      : ", which cannot be seen from here") +
                        "; choose another name, or end that process",
                    EADDRINUSE);
      }
      if (folder_.is_socket_of_ours(other.text())) folder_.remove(other.text());
    }
  }

  // bind(2) creates it as O_EXCL would, with the mode that the socket has.
  [[nodiscard]] Fd make_entry() const {
    Fd socket(check("socket", [] {
      return ::socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    }));
    check("fchmod", [&] { return ::fchmod(socket.get(), 0600); });
    const sockaddr_un address = folder_.address_of(entry_);
    check("bind", [&] {
      return ::bind(socket.get(), reinterpret_cast<const sockaddr*>(&address), sizeof address);
    });
    return socket;
  }

  void admit() {
    Fd asker(retry_interrupted([&] {
      return ::accept4(listener_.get(), nullptr, nullptr, SOCK_CLOEXEC | SOCK_NONBLOCK);
    }));
    if (!asker.valid() && errno != EAGAIN && errno != ECONNABORTED) throw_errno("accept4");
    if (asker.valid() && peer_user(asker) == ::geteuid()) askers_.push_back(std::move(asker));
  }

  // True when an end was handed out.
  bool answer(const Fd& asker) {
    const auto request = hear(asker);
    if (!request) return false;
    if (request->channel != ChannelName(channel_.name)) {
      return refuse(asker, Verdict::other_channel);
    }
    if (request->message_bytes > message_bytes_) {
      return refuse(asker, Verdict::messages_too_short);
    }
    return request->what == Side::sender ? hand_out(asker, senders_, channel_.unpack_sender)
                                         : hand_out(asker, receivers_, channel_.unpack_receiver);
  }

  // Nothing when it has left, or speaks in another way; then it is told how we speak.
  static std::optional<NamedRequest> hear(const Fd& asker) {
    try {
      auto question = Parcel::receive(asker);
      if (!question) return std::nullopt;
      if (question->take<NamedGreeting>() == NamedGreeting{}) {
        const auto request = NamedRequest::take(*question);
        return request.what <= Side::receiver ? std::optional(request) : std::nullopt;
      }
    } catch (const std::system_error&) {
      throw;
    } catch (const std::runtime_error&) {
      return std::nullopt;  // cut short
    }
    Parcel greeting;
    greeting.put(NamedGreeting{});
    greeting.send(asker);
    return std::nullopt;
  }

  template <class End>
  bool hand_out(const Fd& asker, Stock<End>& stock, End (*unpack)(Parcel&)) {
    auto end = stock.take();
    if (!end) return refuse(asker, Verdict::taken);
    Parcel answer = start_answer(Verdict::granted);
    std::move(*end).pack(answer);
    if (answer.send(asker)) return true;
    // It has left. The end is there for the next one.
    answer.take<NamedGreeting>();
    NamedOffer::take(answer);
    stock.end = unpack(answer);
    return false;
  }
  bool refuse(const Fd& asker, Verdict verdict) {
    start_answer(verdict).send(asker);
    return false;
  }
  [[nodiscard]] Parcel start_answer(Verdict verdict) const {
    Parcel answer;
    NamedOffer{verdict, message_bytes_, ChannelName(channel_.name)}.pack(answer);
    return answer;
  }

  template <class End>
  End take(Stock<End>& stock) {
    auto end = stock.take();
    if (!end)
      throw_errno("\"" + entry_.name + "\": its end was handed out; it is the only one", EBUSY);
    return std::move(*end);
  }

  AnyChannel channel_;
  std::size_t message_bytes_;
  Stock<AnySender> senders_;
  Stock<AnyReceiver> receivers_;
  NamedFolder folder_;
  NamedEntry entry_;
  Fd listener_;
  std::vector<Fd> askers_;  // have connected, have not asked yet
};

// An end of the channel of this name. Waits until its creator serves us. Throws
// std::invalid_argument for a name that cannot be one, and std::system_error: ENOENT no such name,
// ESRCH its owner is dead, ETIMEDOUT, EBUSY the end is taken, EPROTOTYPE it is another mechanism,
// EMSGSIZE its messages are shorter, EPROTO the owner was built from another layout, EPERM the
// entry is not ours, ECONNRESET it was withdrawn.
inline AnySender attach_sender(const AnyChannel& channel, std::string_view name, Deadline deadline,
                               const AttachOptions& options = {}) {
  const NamedRequest request{Side::sender, options.message_bytes, ChannelName(channel.name)};
  Parcel end = detail::Attacher(name, request, options).attach(deadline);
  return channel.unpack_sender(end);
}
inline AnyReceiver attach_receiver(const AnyChannel& channel, std::string_view name,
                                   Deadline deadline, const AttachOptions& options = {}) {
  const NamedRequest request{Side::receiver, options.message_bytes, ChannelName(channel.name)};
  Parcel end = detail::Attacher(name, request, options).attach(deadline);
  return channel.unpack_receiver(end);
}

// The same for a mechanism that is known when the program is compiled: the ends are its own.
template <Channel C>
requires(C::traits.crosses_processes) class Named : public Published {
  static constexpr std::string_view left_by_channel =
      C::traits.outlives_crash == "nothing" ? "" : C::traits.outlives_crash;
  static constexpr std::string_view separator = left_by_channel.empty() ? "" : "; ";
  static constexpr std::string_view left_by_name = "its entry, until ipc-janitor removes it";

 public:
  using Sender = typename C::Sender;
  using Receiver = typename C::Receiver;

  // What the bare channel can do, but for who opens it and what is left.
  static constexpr Traits traits = [] {
    Traits named = C::traits;
    named.outlives_crash = JoinedName<left_by_channel, separator, left_by_name>::value;
    named.opened_by = "processes of its user";
    return named;
  }();

  static Named create(std::string_view name, const Options& options = {},
                      const std::filesystem::path& folder = NamedFolder::default_path()) {
    return Named(Published(any_channel<C>(), name, options, folder));
  }
  static Sender attach_sender(std::string_view name, Deadline deadline,
                              const AttachOptions& options = {}) {
    auto end = ipc::attach_sender(any_channel<C>(), name, deadline, options);
    return std::move(end.template as<Sender>());
  }
  static Receiver attach_receiver(std::string_view name, Deadline deadline,
                                  const AttachOptions& options = {}) {
    auto end = ipc::attach_receiver(any_channel<C>(), name, deadline, options);
    return std::move(end.template as<Receiver>());
  }

  Sender take_sender() {
    auto end = Published::take_sender();
    return std::move(end.template as<Sender>());
  }
  Receiver take_receiver() {
    auto end = Published::take_receiver();
    return std::move(end.template as<Receiver>());
  }

 private:
  explicit Named(Published published) : Published(std::move(published)) {}
};

}  // namespace ipc
