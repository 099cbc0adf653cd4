// What the tests of shared objects have in common: the same work for threads and for processes.
#pragma once

#include <unistd.h>

#include <atomic>
#include <chrono>
#include <csignal>
#include <functional>
#include <string>
#include <string_view>
#include <thread>
#include <utility>

#include <gtest/gtest.h>

#include "ipc/process.hpp"
#include "ipc/socket_pair.hpp"
#include "pools/shared/shared.hpp"

namespace shared_test {

using ipc::Deadline;
using std::chrono::microseconds;
using std::chrono::milliseconds;

// SIGALRM ends a test that hangs.
class Guarded : public testing::Test {
 protected:
  void SetUp() override { ::alarm(100); }
  void TearDown() override { ::alarm(0); }
};

// Starts with a function; join() waits for it and is true if it returned true.
class InProcess {
 public:
  static constexpr std::string_view name = "processes";
  explicit InProcess(const std::function<bool()>& work)
      : process_([&] { return work() ? 0 : 2; }) {}
  bool join() { return process_.join()->success(); }

 private:
  ipc::Process process_;
};
class InThread {
 public:
  static constexpr std::string_view name = "threads";
  explicit InThread(std::function<bool()> work)
      : thread_([this, work = std::move(work)] { result_ = work(); }) {}
  InThread(InThread&&) = delete;
  bool join() {
    thread_.join();
    return result_;
  }

 private:
  bool result_ = false;
  std::thread thread_;
};

template <class Worker>
class Workers : public Guarded {};
using BothWorkers = testing::Types<InThread, InProcess>;
struct WorkerName {
  template <class Worker>
  static std::string GetName(int) {
    return std::string(Worker::name);
  }
};

// Numbers that all see.
struct Counters {
  static constexpr std::string_view kind = "counters";
  std::atomic<int> started{0};
  std::atomic<int> inside{0};
  std::atomic<int> most{0};
  std::atomic<int> ended{0};
  std::atomic<int> sum{0};
};

template <class Ready>
void await(Ready&& ready) {
  while (!ready()) std::this_thread::sleep_for(microseconds(100));
}
inline void await(const std::atomic<int>& number, int value) {
  await([&] { return number >= value; });
}
inline void pause_ms(int ms) {
  std::this_thread::sleep_for(milliseconds(ms));
}

// A process that does this, and then nothing, until it is killed.
inline ipc::Process process_that_stays(const std::function<void()>& work) {
  pools::Shared<Counters> counters;
  ipc::Process process([&] {
    work();
    counters->ended = 1;
    return ::pause();
  });
  await(counters->ended, 1);
  return process;
}
inline void kill(ipc::Process& process) {
  process.kill(SIGKILL);
  process.join();
}

// How long `wait` takes.
template <class Wait>
std::chrono::nanoseconds time_of(Wait&& wait) {
  const auto before = Deadline::Clock::now();
  wait();
  return Deadline::Clock::now() - before;
}

// Has `use` run with the object in a process that was there before it, which got it in a parcel.
template <class Handle, class Use>
bool handed_over(Handle& handle, Use use) {
  auto sockets = ipc::SocketPair::open(SOCK_SEQPACKET, 4096);
  ipc::Parcel parcel;
  if constexpr (requires { handle.pack(parcel); }) {
    handle.pack(parcel);
  } else {
    std::move(handle).pack(parcel);
  }
  ipc::Process other([&] {
    auto received = ipc::Parcel::receive(sockets.receiver);
    Handle theirs(received.value());
    return use(theirs) ? 0 : 2;
  });
  return parcel.send(sockets.sender) && other.join()->success();
}

}  // namespace shared_test
