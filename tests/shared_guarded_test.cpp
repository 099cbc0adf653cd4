// Data that processes share under a lock, with owners that are killed inside.
#include "pools/shared_guarded.hpp"

#include <atomic>
#include <chrono>
#include <new>
#include <random>
#include <string>
#include <thread>
#include <vector>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "ipc/locks.hpp"
#include "ipc/mapping.hpp"
#include "ipc/process.hpp"
#include "ipc/socket_pair.hpp"

namespace {

using ipc::Deadline;
using ipc::OwnerDeath;
using std::chrono::microseconds;
using std::chrono::milliseconds;
using std::chrono::seconds;

// What is taken from one is given to the other: together they have as much as ever.
struct Accounts {
  static constexpr long together = 1000;
  long from = together;
  long to = 0;
  long transfers = 0;
  long repairs = 0;
};

void transfer(Accounts& all) {
  all.from = all.from == 0 ? Accounts::together - 1 : all.from - 1;
  // The data is wrong for most of the time, so that most owners are killed meanwhile.
  std::this_thread::sleep_for(microseconds(200));
  all.to = Accounts::together - all.from;
  ++all.transfers;
}

void restore_the_sum(Accounts& all) {
  ++all.repairs;
  all.to = Accounts::together - all.from;
}

bool is_whole(const Accounts& all) {
  return all.from + all.to == Accounts::together;
}

template <class L>
class SharedGuarded : public testing::Test {
 protected:
  using Guarded = pools::SharedGuarded<Accounts, L>;

  // Leaves the data half changed, with the lock in its hands.
  static void die_inside(Guarded& accounts) {
    ipc::Process owner([&accounts] {
      accounts.with([](Accounts& all) {
        --all.from;
        ::raise(SIGKILL);
      });
      return 0;
    });
    EXPECT_EQ(owner.join()->signal, SIGKILL);
  }
};

struct LockName {
  template <class L>
  static std::string GetName(int) {
    return std::string(L::name);
  }
};

using Locks =
    testing::Types<ipc::SpinLock, ipc::TicketLock, ipc::FutexLock, ipc::RobustMutex,
                   ipc::BoostMutex, ipc::BoostNamedMutex, ipc::BoostFileLock, ipc::SysvSemaphore>;
TYPED_TEST_SUITE(SharedGuarded, Locks, LockName);

TYPED_TEST(SharedGuarded, processes_take_turns) {
  pools::SharedGuarded<long, TypeParam> number(40);
  const auto count_up = [&number] {
    for (int i = 0; i < 1000; ++i) number.with([](long& value) { value = value + 1; });
    return 0;
  };
  ipc::Process one(count_up);
  ipc::Process other(count_up);
  EXPECT_TRUE(one.join()->success());
  EXPECT_TRUE(other.join()->success());
  EXPECT_EQ(number.with([](long& value) { return value; }), 2040);
}

// To a process that was there before the data.
TYPED_TEST(SharedGuarded, is_handed_over) {
  using Guarded = pools::SharedGuarded<long, TypeParam>;
  auto sockets = ipc::SocketPair::open(SOCK_SEQPACKET, 4096);
  const auto count_up = [](Guarded& number) {
    for (int i = 0; i < 1000; ++i) number.with([](long& value) { value = value + 1; });
  };
  ipc::Process other([&] {
    sockets.sender.reset();
    auto parcel = ipc::Parcel::receive(sockets.receiver);
    Guarded number(parcel.value());
    count_up(number);
    return 0;
  });
  sockets.receiver.reset();
  Guarded number(40);
  {
    ipc::Parcel parcel;
    number.pack(parcel);
    ASSERT_TRUE(parcel.send(sockets.sender));
  }
  count_up(number);
  EXPECT_TRUE(other.join()->success());
  EXPECT_EQ(number.with([](long& value) { return value; }), 2040);
}

TYPED_TEST(SharedGuarded, an_exception_lets_go) {
  pools::SharedGuarded<long, TypeParam> number;
  EXPECT_THROW(number.with([](long&) { throw std::invalid_argument("inside"); }),
               std::invalid_argument);
  EXPECT_EQ(number.with([](long& value) { return ++value; }), 1);
}

// Who comes after a killed owner has what the lock's traits say.
TYPED_TEST(SharedGuarded, owner_is_killed_inside) {
  typename TestFixture::Guarded accounts(Accounts{}, restore_the_sum);
  this->die_inside(accounts);
  ipc::Process survivor([&accounts] {
    try {
      return accounts.with(is_whole) ? 0 : 2;
    } catch (const std::system_error& error) {
      return error.code().value() == ENOTRECOVERABLE ? 3 : 4;
    }
  });
  switch (TypeParam::traits.owner_death) {
    case OwnerDeath::frees:
      EXPECT_EQ(survivor.join()->code, 0);
      break;
    case OwnerDeath::breaks:
      EXPECT_EQ(survivor.join()->code, 3);
      break;
    case OwnerDeath::blocks:
      EXPECT_FALSE(survivor.join(Deadline::in(milliseconds(200))).has_value());
      break;
  }
}

TYPED_TEST(SharedGuarded, without_repair_half_changed_data_is_refused) {
  if (TypeParam::traits.owner_death != OwnerDeath::frees) GTEST_SKIP() << "the lock is lost";
  typename TestFixture::Guarded accounts;
  EXPECT_FALSE(accounts.repair(restore_the_sum)) << "there was nothing to repair";
  this->die_inside(accounts);
  for (int i = 0; i < 2; ++i) EXPECT_THROW(accounts.with(is_whole), pools::OwnerDied);
  EXPECT_THROW(accounts.repair([](Accounts&) { throw std::invalid_argument("cannot"); }),
               std::invalid_argument);
  EXPECT_THROW(accounts.with(is_whole), pools::OwnerDied);
  EXPECT_TRUE(accounts.repair(restore_the_sum));
  EXPECT_TRUE(accounts.with(is_whole));
}

TYPED_TEST(SharedGuarded, a_repair_that_is_killed_is_done_again) {
  if (TypeParam::traits.owner_death != OwnerDeath::frees) GTEST_SKIP() << "the lock is lost";
  const pid_t test = ::getpid();
  typename TestFixture::Guarded accounts(Accounts{}, [test](Accounts& all) {
    if (::getpid() != test) ::raise(SIGKILL);
    restore_the_sum(all);
  });
  this->die_inside(accounts);
  ipc::Process repairer([&] { return accounts.with(is_whole) ? 0 : 1; });
  EXPECT_EQ(repairer.join()->signal, SIGKILL);
  EXPECT_TRUE(accounts.with(is_whole));
}

// Two work, and one is killed again and again; the other and we never see half changed data.
TYPED_TEST(SharedGuarded, is_whole_whenever_owners_are_killed) {
  if (TypeParam::traits.owner_death != OwnerDeath::frees) GTEST_SKIP() << "the lock is lost";
  constexpr int kills = 30;
  typename TestFixture::Guarded accounts(Accounts{}, restore_the_sum);
  const auto work = [&accounts] {
    while (accounts.with([](Accounts& all) {
      const bool whole = is_whole(all);
      transfer(all);
      return whole;
    })) {
      std::this_thread::sleep_for(microseconds(100));  // or it would have the lock all the time
    }
    return 1;
  };
  const auto memory = ipc::Mapping::create(sizeof(std::atomic<int>));
  auto& at_work = *new (memory.data()) std::atomic<int>(0);  // so many victims
  const auto transfers = [&] { return accounts.with([](Accounts& all) { return all.transfers; }); };
  ipc::Process survivor(work);
  std::minstd_rand random(7);
  for (int i = 0; i < kills; ++i) {
    ipc::Process victim([&] {
      accounts.with(transfer);
      ++at_work;
      return work();
    });
    while (at_work == i) std::this_thread::sleep_for(microseconds(100));
    std::this_thread::sleep_for(microseconds(random() % 3000));
    victim.kill(SIGKILL);
    victim.join();
    EXPECT_TRUE(accounts.with(is_whole));
  }
  const long before = transfers();
  while (transfers() == before) std::this_thread::yield();  // the survivor goes on
  EXPECT_FALSE(survivor.join(Deadline::now()).has_value()) << "it saw half changed data";
  EXPECT_GT(accounts.with([](Accounts& all) { return all.repairs; }), 0)
      << "nobody was killed inside";
}

}  // namespace
