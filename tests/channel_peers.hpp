// The other side of a channel under test: a thread, or a forked process.
#pragma once

#include <cstdint>
#include <cstdio>
#include <exception>
#include <functional>
#include <memory>
#include <stdexcept>
#include <string>
#include <thread>
#include <utility>

#include "ipc/any_channel.hpp"
#include "ipc/process.hpp"

namespace tests {

// For a peer, whose failed checks must reach the test from another thread or process.
inline void require(bool condition, const std::string& what) {
  if (!condition) throw std::runtime_error(what);
}

enum class PeerKind : std::uint8_t { thread, process };

class Peer {
 public:
  // Runs `main`; a thread destroys it when it returns, and with it the ends that it holds.
  Peer(PeerKind kind, std::function<void()> main) : failure_(std::make_unique<std::string>()) {
    if (kind == PeerKind::process) {
      process_ = ipc::Process([&main] {
        main();
        return 0;
      });
      return;
    }
    thread_ = std::jthread([failure = failure_.get(), main = std::move(main)]() mutable {
      try {
        main();
      } catch (const std::exception& error) {
        *failure = error.what();
      }
      main = nullptr;
    });
  }

  // What went wrong on the other side; empty when nothing did.
  std::string join() {
    if (!thread_.joinable()) {
      const auto status = process_.join();
      return status->success() ? "" : "the peer " + status->text();
    }
    thread_.join();
    return *failure_;
  }

  // Returns when it is dead. Requires a process.
  void kill() {
    process_.kill(SIGKILL);
    process_.join();
  }
  [[nodiscard]] const ipc::Process& process() const { return process_; }

 private:
  std::unique_ptr<std::string> failure_;
  ipc::Process process_;
  std::jthread thread_;
};

// An end on our side, and the peer that has the other one. Every copy that one side does not need
// is destroyed there.
template <class End>
struct Connected {
  Peer peer;
  std::unique_ptr<End> end;  // goes first, so that a peer that waits for it comes to its end
};

// std::function wants to be copied, ends do not.
template <class End>
std::shared_ptr<std::unique_ptr<End>> shared(End end) {
  return std::make_shared<std::unique_ptr<End>>(std::make_unique<End>(std::move(end)));
}

template <class Ours, class Theirs, class Main>
Connected<Ours> connect(PeerKind kind, Ours ours, Theirs theirs, Main main) {
  const auto our_end = shared(std::move(ours));
  const auto their_end = shared(std::move(theirs));
  Peer peer(kind, [kind, our_end, their_end, main] {
    if (kind == PeerKind::process) our_end->reset();
    main(**their_end);
    their_end->reset();
  });
  if (kind == PeerKind::process) their_end->reset();
  return {std::move(peer), std::move(*our_end)};
}

// main(Receiver&) runs at the peer; we get the sender.
template <class Main>
auto connect_to_receiver(const ipc::AnyChannel& channel, PeerKind kind, const ipc::Options& options,
                         Main main) {
  auto ends = channel.open(options);
  return connect(kind, std::move(ends.first), std::move(ends.second), main);
}

// main(Sender&) runs at the peer; we get the receiver.
template <class Main>
auto connect_to_sender(const ipc::AnyChannel& channel, PeerKind kind, const ipc::Options& options,
                       Main main) {
  auto ends = channel.open(options);
  return connect(kind, std::move(ends.second), std::move(ends.first), main);
}

}  // namespace tests
