// What every lock promises, between threads and between processes.
#include "ipc/lock.hpp"

#include <csignal>
#include <fstream>
#include <memory>
#include <mutex>
#include <sstream>
#include <string>
#include <thread>
#include <vector>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "ipc/futex.hpp"
#include "ipc/locks.hpp"
#include "ipc/mapping.hpp"
#include "ipc/process.hpp"
#include "ipc/socket_pair.hpp"

namespace {

using ipc::Deadline;
using ipc::OwnerDeath;
using std::chrono::milliseconds;
using std::chrono::seconds;

// The lock and what it guards, in memory that forked processes share.
template <class L>
class Shared {
 public:
  struct Board {
    L lock;
    long count = 0;
    std::atomic<bool> inside{false};
    std::atomic<pid_t> waiter{0};  // about to call lock()
  };

  Shared() : mapping_(ipc::Mapping::create(sizeof(Board))) { new (mapping_.data()) Board; }
  Shared(const Shared&) = delete;
  Shared& operator=(const Shared&) = delete;
  ~Shared() { std::destroy_at(&board()); }

  [[nodiscard]] Board& board() const { return mapping_.as<Board>(); }

 private:
  ipc::Mapping mapping_;
};

template <class Board>
void count_up(Board& board, int times) {
  for (int i = 0; i < times; ++i) {
    const std::lock_guard hold(board.lock);
    board.count = board.count + 1;
  }
}

// Dies with the lock in its hands.
template <class Board>
ipc::Process dying_owner(Board& board) {
  ipc::Process owner([&board] {
    board.lock.lock();
    board.inside = true;
    return ::pause();
  });
  while (!board.inside) std::this_thread::yield();
  owner.kill(SIGKILL);
  owner.join();
  return owner;
}

// Returns when thread `tid` of process `pid` is waiting, asleep or spinning, given that it has
// nothing left to do before.
void await_waiting(pid_t pid, pid_t tid) {
  constexpr long ticks_enough = 3;  // of CPU time: it has come as far as it can come
  const std::string path =
      "/proc/" + std::to_string(pid) + "/task/" + std::to_string(tid) + "/stat";
  const auto look = [&path] {
    std::ifstream file(path);
    std::string text;
    std::getline(file, text);
    std::istringstream fields(text.substr(text.rfind(')') + 2));
    char state = 0;
    long ticks = 0;
    std::string skipped;
    fields >> state;
    for (int field = 4; field < 14; ++field) fields >> skipped;  // proc(5): utime is the 14th
    long system_ticks = 0;
    fields >> ticks >> system_ticks;
    return std::pair(state, ticks + system_ticks);
  };
  const long before = look().second;
  for (;;) {
    const auto [state, ticks] = look();
    if (state == 'S' || ticks >= before + ticks_enough) return;
    std::this_thread::sleep_for(milliseconds(1));
  }
}

template <class L>
class Locks : public testing::Test {};

struct LockName {
  template <class L>
  static std::string GetName(int) {
    return std::string(L::name);
  }
};

TYPED_TEST_SUITE(Locks, ipc::AllLocks::into<testing::Types>, LockName);

TYPED_TEST(Locks, threads_take_turns) {
  if (!TypeParam::traits.excludes_threads) GTEST_SKIP() << "a process has it as a whole";
  const Shared<TypeParam> shared;
  std::vector<std::thread> threads;
  for (int i = 0; i < 4; ++i) threads.emplace_back([&] { count_up(shared.board(), 5'000); });
  for (auto& thread : threads) thread.join();
  EXPECT_EQ(shared.board().count, 20'000);
}

TYPED_TEST(Locks, processes_take_turns) {
  if (!TypeParam::traits.crosses_processes) GTEST_SKIP() << "between threads only";
  const Shared<TypeParam> shared;
  {
    std::vector<ipc::Process> processes;
    for (int i = 0; i < 4; ++i) {
      processes.emplace_back([&] { return count_up(shared.board(), 5'000), 0; });
    }
    for (auto& process : processes) EXPECT_TRUE(process.join()->success());
  }
  EXPECT_EQ(shared.board().count, 20'000);
}

// To a process that was there before the lock.
TYPED_TEST(Locks, is_handed_over) {
  if constexpr (!ipc::PortableLock<TypeParam>) {
    GTEST_SKIP() << "it goes where its memory goes";
  } else {
    const auto counter = ipc::Mapping::create(sizeof(long));
    long& count = counter.as<long>();
    auto sockets = ipc::SocketPair::open(SOCK_SEQPACKET, 4096);
    const auto count_under = [&count](TypeParam& lock) {
      for (int i = 0; i < 5'000; ++i) {
        const std::lock_guard hold(lock);
        count = count + 1;
      }
    };
    ipc::Process other([&] {
      sockets.sender.reset();
      auto parcel = ipc::Parcel::receive(sockets.receiver);
      TypeParam lock(parcel.value());
      count_under(lock);
      return 0;
    });
    sockets.receiver.reset();
    TypeParam lock;
    {
      ipc::Parcel parcel;
      lock.pack(parcel);
      ASSERT_TRUE(parcel.send(sockets.sender));
    }
    count_under(lock);
    EXPECT_TRUE(other.join()->success());
    EXPECT_EQ(count, 10'000);
  }
}

TYPED_TEST(Locks, goes_on_after_a_signal) {
  struct sigaction action {};
  struct sigaction before {};
  action.sa_handler = [](int) {};  // and no SA_RESTART
  ::sigaction(SIGUSR1, &action, &before);
  const Shared<TypeParam> shared;
  auto& board = shared.board();
  const auto wait_for_it = [&board] {
    board.waiter = ::gettid();
    const std::lock_guard hold(board.lock);
    board.count = board.count + 1;
  };
  const auto interrupt = [&board](pid_t pid) {
    while (board.waiter == 0) std::this_thread::yield();
    await_waiting(pid, board.waiter);
    EXPECT_EQ(::tgkill(pid, board.waiter, SIGUSR1), 0);
    await_waiting(pid, board.waiter);
    EXPECT_EQ(board.count, 0);
  };
  board.lock.lock();
  if (TypeParam::traits.excludes_threads) {
    std::thread thread(wait_for_it);
    interrupt(::getpid());
    board.lock.unlock();
    thread.join();
  } else {
    ipc::Process process([&] { return wait_for_it(), 0; });
    interrupt(process.pid());
    board.lock.unlock();
    EXPECT_TRUE(process.join()->success());
  }
  EXPECT_EQ(board.count, 1);
  ::sigaction(SIGUSR1, &before, nullptr);
}

TYPED_TEST(Locks, that_are_fair_serve_in_order) {
  if (!TypeParam::traits.fair) GTEST_SKIP() << "it does not say so";
  const Shared<TypeParam> shared;
  auto& board = shared.board();
  std::vector<int> served;
  board.lock.lock();
  std::vector<std::thread> threads;
  for (int i = 0; i < 3; ++i) {
    board.waiter = 0;
    threads.emplace_back([&, i] {
      board.waiter = ::gettid();
      const std::lock_guard hold(board.lock);
      served.push_back(i);
    });
    while (board.waiter == 0) std::this_thread::yield();
    await_waiting(::getpid(), board.waiter);
  }
  board.lock.unlock();
  board.lock.lock();  // comes last
  served.push_back(3);
  board.lock.unlock();
  for (auto& thread : threads) thread.join();
  EXPECT_THAT(served, testing::ElementsAre(0, 1, 2, 3));
}

// What becomes of it is what the traits say.
TYPED_TEST(Locks, owner_is_killed) {
  if (!TypeParam::traits.crosses_processes) GTEST_SKIP() << "between threads only";
  const Shared<TypeParam> shared;
  dying_owner(shared.board());
  ipc::Process survivor([&shared] {
    try {
      count_up(shared.board(), 2);
      return 0;
    } catch (const std::system_error& error) {
      return error.code().value() == ENOTRECOVERABLE ? 2 : 3;
    }
  });
  switch (TypeParam::traits.owner_death) {
    case OwnerDeath::frees:
      EXPECT_EQ(survivor.join()->code, 0);
      EXPECT_EQ(shared.board().count, 2);
      break;
    case OwnerDeath::breaks:
      EXPECT_EQ(survivor.join()->code, 2);
      break;
    case OwnerDeath::blocks:
      EXPECT_FALSE(survivor.join(Deadline::in(milliseconds(200))).has_value());
      break;
  }
}

TYPED_TEST(Locks, waiters_are_killed) {
  if (!TypeParam::traits.crosses_processes) GTEST_SKIP() << "between threads only";
  if (!TypeParam::traits.waiter_may_be_killed) GTEST_SKIP() << "it does not say so";
  const Shared<TypeParam> shared;
  auto& board = shared.board();
  board.lock.lock();
  for (int i = 0; i < 3; ++i) {
    board.waiter = 0;
    ipc::Process waiter([&] {
      board.waiter = ::gettid();
      return count_up(board, 1), 0;
    });
    while (board.waiter == 0) std::this_thread::yield();
    await_waiting(waiter.pid(), board.waiter);
    waiter.kill(SIGKILL);
  }
  ipc::Process survivor([&] { return count_up(board, 10), 0; });
  board.lock.unlock();
  EXPECT_TRUE(survivor.join(Deadline::in(seconds(60))).has_value());
  EXPECT_EQ(board.count, 10);
}

TEST(SharedLock, is_shared_by_readers) {
  ipc::StdSharedMutex lock;
  const std::shared_lock first(lock);
  std::thread([&] { const std::shared_lock second(lock); }).join();
}

}  // namespace
