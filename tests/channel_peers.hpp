// The other side of a channel under test: a thread, or a forked process.
#pragma once

#include <cstdio>
#include <exception>
#include <functional>
#include <memory>
#include <stdexcept>
#include <string>
#include <thread>
#include <utility>

#include "ipc/channel.hpp"
#include "ipc/process.hpp"

namespace tests {

// For a peer, whose failed checks must reach the test from another thread or process.
inline void require(bool condition, const std::string& what) {
  if (!condition) throw std::runtime_error(what);
}

class ThreadPeer {
 public:
  static constexpr bool is_process = false;

  explicit ThreadPeer(std::function<void()> main)
      : failure_(std::make_unique<std::string>()),
        thread_([failure = failure_.get(), main = std::move(main)]() mutable {
          try {
            main();
          } catch (const std::exception& error) {
            *failure = error.what();
          }
          main = nullptr;  // destroys the ends that it holds
        }) {}

  // What went wrong on the other side; empty when nothing did.
  std::string join() {
    thread_.join();
    return *failure_;
  }

 private:
  std::unique_ptr<std::string> failure_;
  std::jthread thread_;
};

class ProcessPeer {
 public:
  static constexpr bool is_process = true;

  explicit ProcessPeer(const std::function<void()>& main)
      : process_([&] {
          main();
          return 0;
        }) {}

  std::string join() {
    const auto status = process_.join();
    return status->success() ? "" : "the peer " + status->text();
  }
  // Returns when it is dead.
  void kill() {
    process_.kill(SIGKILL);
    process_.join();
  }

 private:
  ipc::Process process_;
};

// An end on our side, and the peer that has the other one. Every copy that one side does not need
// is destroyed there.
template <class Peer, class End>
struct Connected {
  Peer peer;
  std::unique_ptr<End> end;  // goes first, so that a peer that waits for it comes to its end
};

template <class Peer, class Ours, class Theirs, class Main>
Connected<Peer, Ours> connect(Ours ours, Theirs theirs, Main main) {
  // Shared, because std::function wants to be copied.
  const auto our_end =
      std::make_shared<std::unique_ptr<Ours>>(std::make_unique<Ours>(std::move(ours)));
  const auto their_end =
      std::make_shared<std::unique_ptr<Theirs>>(std::make_unique<Theirs>(std::move(theirs)));
  Peer peer([our_end, their_end, main] {
    if constexpr (Peer::is_process) our_end->reset();
    main(**their_end);
    their_end->reset();
  });
  if constexpr (Peer::is_process) their_end->reset();
  return {std::move(peer), std::move(*our_end)};
}

// main(Receiver&) runs at the peer; we get the sender.
template <class Channel, class Peer, class Main>
auto connect_to_receiver(const ipc::Options& options, Main main) {
  auto ends = Channel::open(options);
  return connect<Peer>(std::move(ends.first), std::move(ends.second), main);
}

// main(Sender&) runs at the peer; we get the receiver.
template <class Channel, class Peer, class Main>
auto connect_to_sender(const ipc::Options& options, Main main) {
  auto ends = Channel::open(options);
  return connect<Peer>(std::move(ends.second), std::move(ends.first), main);
}

}  // namespace tests
