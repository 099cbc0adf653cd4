// The parts that channels share.
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/socket.h>

#include <algorithm>
#include <array>
#include <atomic>
#include <chrono>
#include <csignal>
#include <fstream>
#include <optional>
#include <random>
#include <thread>
#include <vector>

#include <gtest/gtest.h>

#include "ipc/channels/pipe.hpp"
#include "ipc/channels/posix_queue.hpp"
#include "ipc/channels/spsc_ring.hpp"
#include "ipc/channels/unix_stream.hpp"
#include "ipc/eventcount.hpp"
#include "ipc/framing.hpp"
#include "ipc/guardian.hpp"
#include "ipc/lifeline.hpp"
#include "ipc/locks/robust_mutex.hpp"
#include "ipc/mapping.hpp"
#include "ipc/message_fifo.hpp"
#include "ipc/parcel.hpp"
#include "ipc/process.hpp"
#include "ipc/wait.hpp"
#include "tests/messages.hpp"

namespace {

using ipc::Deadline;
using ipc::Outcome;
using namespace std::chrono_literals;

TEST(Deadline, NowIsExpiredAndNeverIsNot) {
  EXPECT_TRUE(Deadline::now().expired());
  EXPECT_FALSE(Deadline::never().expired());
  EXPECT_FALSE(Deadline::in(1h).expired());
  EXPECT_TRUE(Deadline::in(-1ns).expired());
  const auto left = Deadline::in(1500ms).remaining();
  EXPECT_LE(left.tv_sec, 1);
  EXPECT_EQ(Deadline::in(-1s).remaining().tv_sec, 0);
}

TEST(Check, ThrowsTheNameOfTheCall) {
  try {
    ipc::check("close", [] { return ::close(-1); });
    FAIL();
  } catch (const std::system_error& error) {
    EXPECT_EQ(error.code().value(), EBADF);
    EXPECT_NE(std::string(error.what()).find("close"), std::string::npos);
  }
}

TEST(Mapping, CannotBeShrunkByAPeer) {
  const auto mapping = ipc::Mapping::create(8192);
  EXPECT_EQ(::ftruncate(mapping.fd().get(), 0), -1);
  EXPECT_EQ(errno, EPERM);
}

TEST(Mapping, RefusesMemoryThatCouldShrink) {
  ipc::Fd unsealed(::memfd_create("test", MFD_CLOEXEC | MFD_ALLOW_SEALING));
  ASSERT_EQ(::ftruncate(unsealed.get(), 4096), 0);
  EXPECT_THROW(ipc::Mapping::attach(std::move(unsealed)), std::runtime_error);
}

TEST(Mapping, NoMemoryIsAnErrorAndNotASignal) {
  EXPECT_THROW(ipc::Mapping::create(std::size_t{1} << 50), std::system_error);
}

TEST(Process, TellsHowItEnded) {
  EXPECT_EQ(ipc::Process([] { return 7; }).join()->text(), "exited with code 7");
  ipc::Process killed([] {
    ::raise(SIGKILL);
    return 0;
  });
  EXPECT_EQ(killed.join()->text(), "was killed by signal 9 (SIGKILL)");
  EXPECT_EQ(
      ipc::Process([]() -> int { throw std::runtime_error("thrown on purpose"); }).join()->code, 1);
}

TEST(Process, IsKilledByItsOwnersDestructor) {
  pid_t pid = 0;
  {
    ipc::Process sleeper([] {
      std::this_thread::sleep_for(1h);
      return 0;
    });
    pid = sleeper.pid();
    EXPECT_FALSE(sleeper.join(Deadline::in(10ms)));
  }
  EXPECT_EQ(::kill(pid, 0), -1);
}

TEST(Parcel, CarriesDescriptorsAndValues) {
  std::array<int, 2> sockets{};
  ASSERT_EQ(::socketpair(AF_UNIX, SOCK_SEQPACKET, 0, sockets.data()), 0);
  const ipc::Fd here(sockets[0]);
  ipc::Fd there(sockets[1]);
  const auto mapping = ipc::Mapping::create(4096);
  mapping.as<int>() = 42;
  ipc::Parcel parcel;
  parcel.put(mapping.fd().duplicate());
  parcel.put(3.5);
  ASSERT_TRUE(parcel.send(here));
  auto got = ipc::Parcel::receive(there);
  ASSERT_TRUE(got);
  EXPECT_EQ(ipc::Mapping::attach(got->take_fd()).as<int>(), 42);
  EXPECT_EQ(got->take<double>(), 3.5);
  EXPECT_THROW(got->take<int>(), std::runtime_error);
  EXPECT_THROW(got->take_fd(), std::runtime_error);
  there.reset();
  EXPECT_FALSE(parcel.send(here));
}

TEST(Lifeline, KnowsTheLastOfEachSide) {
  auto [sender, receiver] = ipc::Lifeline::open();
  auto second = sender.clone();
  EXPECT_FALSE(sender.leave());
  EXPECT_FALSE(receiver.peers_gone());
  EXPECT_TRUE(second.leave());
  EXPECT_TRUE(receiver.peers_gone());
  EXPECT_FALSE(second.peers_gone());
}

TEST(Guardian, ActsWhenBothSidesAreGoneAndNotBefore) {
  std::array<int, 2> told{};
  ASSERT_EQ(::pipe(told.data()), 0);
  // What the guardian does must outlast it: it names a POSIX shared memory object, then removes it.
  const std::string name = "/ipc-compare-guardian-test." + std::to_string(::getpid());
  ipc::Fd object(::shm_open(name.c_str(), O_CREAT | O_EXCL | O_RDWR, 0600));
  ASSERT_TRUE(object.valid());
  std::array<char, 64> path{};
  std::copy(name.begin(), name.end(), path.begin());
  const auto exists = [&] { return ipc::Fd(::shm_open(name.c_str(), O_RDONLY, 0)).valid(); };
  auto ends = ipc::Lifeline::open();
  ipc::guard(ends.first, [path] { ::shm_unlink(path.data()); });
  ends.first.leave();
  std::this_thread::sleep_for(100ms);
  EXPECT_TRUE(exists());
  ends.second.leave();
  const auto guard = Deadline::in(60s);
  while (!guard.expired() && exists()) std::this_thread::sleep_for(10ms);
  EXPECT_FALSE(exists());
  ::close(told[0]);
  ::close(told[1]);
}

TEST(Eventcount, LosesNoWakeUp) {
  // Two processes take turns; a lost wake-up would leave both asleep.
  const auto mapping = ipc::Mapping::create(4096);
  struct Shared {
    ipc::Eventcount event;
    std::atomic<std::uint32_t> turn{0};
  };
  auto& shared = *new (mapping.data()) Shared;
  const auto play = [&](std::uint32_t parity) {
    for (std::uint32_t i = parity; i < 20'000; i += 2) {
      shared.event.await([&] { return shared.turn.load() == i; }, Deadline::never());
      shared.turn.store(i + 1);
      shared.event.notify_all();
    }
  };
  ipc::Process peer([&] {
    play(1);
    return 0;
  });
  play(0);
  EXPECT_TRUE(peer.join()->success());
}

TEST(Eventcount, SurvivesAWaiterThatIsKilled) {
  const auto mapping = ipc::Mapping::create(4096);
  auto& event = *new (mapping.data()) ipc::Eventcount;
  auto& ready = *new (mapping.data() + 64) std::atomic<bool>(false);
  for (int i = 0; i < 5; ++i) {
    ipc::Process waiter([&] {
      event.await([] { return false; }, Deadline::never());
      return 0;
    });
    std::this_thread::sleep_for(20ms);
    waiter.kill(SIGKILL);
    waiter.join();
    event.notify_all();
  }
  ipc::Process waiter([&] {
    event.await([&] { return ready.load(); }, Deadline::never());
    return 0;
  });
  std::this_thread::sleep_for(20ms);
  ready = true;
  event.notify_all();
  EXPECT_TRUE(waiter.join()->success());
}

TEST(RobustMutex, TheNextOwnerIsToldThatTheLastOneDied) {
  const auto mapping = ipc::Mapping::create(4096);
  auto& mutex = *new (mapping.data()) ipc::RobustMutex;
  ipc::Process owner([&] {
    mutex.lock();
    ::raise(SIGKILL);
    return 0;
  });
  EXPECT_EQ(owner.join()->signal, SIGKILL);
  EXPECT_EQ(mutex.lock(), ipc::RobustMutex::Locked::owner_died);
  mutex.unlock();
  EXPECT_EQ(mutex.lock(), ipc::RobustMutex::Locked::clean);
  mutex.unlock();
}

TEST(MessageFifo, WrapsAtEveryOffset) {
  constexpr std::size_t capacity = 61;  // no multiple of anything
  std::array<std::byte, capacity> ring{};
  ipc::MessageFifo::Indices indices;
  ipc::MessageFifo fifo(indices, ring, 20);
  std::mt19937 random(7);
  std::uint64_t pushed = 0;
  std::uint64_t popped = 0;
  std::vector<std::size_t> sizes;
  std::array<std::byte, capacity> buffer{};
  for (int step = 0; step < 20'000; ++step) {
    const std::size_t size = 1 + random() % 20;
    if (fifo.push(tests::message(pushed, size))) {
      sizes.push_back(size);
      ++pushed;
    } else {
      ASSERT_FALSE(fifo.has_room(size));
    }
    if (random() % 2 == 0) continue;
    const auto got = fifo.pop(buffer);
    ASSERT_EQ(got.has_value(), popped < pushed);
    if (!got) continue;
    ASSERT_EQ(*got, sizes[popped]);
    ASSERT_TRUE(tests::matches(ipc::Bytes(buffer).first(*got), popped));
    ++popped;
  }
  EXPECT_GT(popped, 1000U);
}

TEST(MessageFifo, AnImpossibleLengthIsRefusedAndSoAreImpossibleIndices) {
  std::array<std::byte, 64> ring{};
  std::array<std::byte, 64> buffer{};
  ipc::MessageFifo::Indices indices;
  ipc::MessageFifo fifo(indices, ring, 20);
  ASSERT_TRUE(fifo.push(tests::message(1, 10)));
  for (const std::uint32_t length : {0U, 11U, 21U, 64U, ~0U}) {
    std::memcpy(ring.data(), &length, sizeof length);
    EXPECT_THROW(fifo.pop(buffer), std::runtime_error) << length;
  }
  for (const std::uint64_t pushed : {std::uint64_t{65}, ~std::uint64_t{0}}) {
    indices.pushed = pushed;
    EXPECT_THROW(fifo.pop(buffer), std::runtime_error) << pushed;
    EXPECT_THROW(fifo.push(tests::message(2, 10)), std::runtime_error) << pushed;
  }
}

TEST(MessageFifo, ARingThatIsTooSmallForTheLongestMessageIsRefused) {
  std::array<std::byte, 64> ring{};
  ipc::MessageFifo::Indices indices;
  EXPECT_NO_THROW(ipc::MessageFifo(indices, ring, 60));
  for (const std::size_t message_bytes : {std::size_t{0}, std::size_t{61}, ~std::size_t{0}}) {
    EXPECT_THROW(ipc::MessageFifo(indices, ring, message_bytes), std::runtime_error);
  }
}

// Bytes into the receiver as a peer, or an attacker, might write them.
struct RawStream {
  ipc::Fd raw;
  ipc::FramedReceiver receiver;

  static RawStream open(std::size_t message_bytes) {
    std::array<int, 2> fds{};
    ipc::check("pipe", [&] { return ::pipe(fds.data()); });
    return {ipc::Fd(fds[1]),
            ipc::FramedReceiver(ipc::Fd(fds[0]), ipc::Framing(PIPE_BUF), message_bytes)};
  }
  void write(const void* data, std::size_t bytes) const {
    ASSERT_EQ(::write(raw.get(), data, bytes), static_cast<ssize_t>(bytes));
  }
};

TEST(Framing, AFrameMayComeByteByByte) {
  auto stream = RawStream::open(100);
  const std::uint32_t length = 10;
  std::vector<std::byte> frame(sizeof length + length);
  std::memcpy(frame.data(), &length, sizeof length);
  tests::fill(std::span(frame).subspan(sizeof length), 5);
  std::array<std::byte, 100> buffer{};
  for (const std::byte& byte : frame) {
    EXPECT_EQ(stream.receiver.receive(buffer, Deadline::now()).outcome, Outcome::timed_out);
    stream.write(&byte, 1);
  }
  EXPECT_EQ(stream.receiver.receive(buffer, Deadline::now()), (ipc::Received{Outcome::done, 10}));
  EXPECT_TRUE(tests::matches(ipc::Bytes(buffer).first(10), 5));
}

TEST(Framing, AnImpossibleLengthIsRefused) {
  for (const std::uint32_t length : {0U, 101U, 1U << 31, ~0U}) {
    auto stream = RawStream::open(100);
    stream.write(&length, sizeof length);
    std::array<std::byte, 100> buffer{};
    EXPECT_THROW(stream.receiver.receive(buffer, Deadline::now()), std::runtime_error) << length;
  }
}

TEST(Framing, HalfAFrameAtTheEndIsNoMessage) {
  auto stream = RawStream::open(100);
  const std::uint32_t length = 10;
  stream.write(&length, sizeof length);
  stream.write("half", 4);
  stream.raw.reset();
  std::array<std::byte, 100> buffer{};
  EXPECT_EQ(stream.receiver.receive(buffer, Deadline::never()).outcome, Outcome::closed);
}

TEST(Framing, AFrameMayBeCutInsideItsLength) {
  constexpr std::size_t page_bytes = 4096;
  for (const std::size_t cut : {1U, 2U, 3U}) {
    // The pipe has one page. What a message has beyond whole pages goes in behind the one that is
    // there; the rest has no room.
    auto ends = ipc::Pipe::open(
        {.message_bytes = 10'000, .capacity = {.bytes = page_bytes, .messages = 1}});
    ASSERT_EQ(ends.first.capacity().bytes, page_bytes);
    tests::send_number(ends.first, 0, 100);
    const std::size_t length_and_verdict = 5;
    const auto too_long = tests::message(1, 2 * page_bytes + cut - length_and_verdict);
    ASSERT_EQ(ends.first.send(too_long, Deadline::now()), Outcome::timed_out);
    tests::expect_number(ends.second, 0, 100, Deadline::now());
    bool sent = false;
    std::array<std::byte, 10'000> buffer{};
    ipc::Received received{Outcome::timed_out};
    while (received.outcome == Outcome::timed_out) {
      if (!sent) sent = ends.first.send(tests::message(2, 50), Deadline::now()) == Outcome::done;
      received = ends.second.receive(buffer, Deadline::now());
    }
    EXPECT_EQ(received, (ipc::Received{Outcome::done, 50}));
    EXPECT_TRUE(tests::matches(ipc::Bytes(buffer).first(50), 2));
  }
}

// Read and write calls of this process so far (proc(5), /proc/PID/io); nothing where the kernel
// does not count them.
struct Calls {
  std::uint64_t reads = 0;
  std::uint64_t writes = 0;

  static std::optional<Calls> now() {
    std::ifstream io("/proc/self/io");
    Calls calls;
    for (std::string name; io >> name;) {
      std::uint64_t value = 0;
      io >> value;
      if (name == "syscr:") calls.reads = value;
      if (name == "syscw:") calls.writes = value;
    }
    return calls.reads > 0 ? std::optional(calls) : std::nullopt;
  }
};

template <class Channel>
void expect_one_call_a_side() {
  if (!Calls::now()) GTEST_SKIP() << "the kernel does not count calls in /proc/self/io";
  auto ends = Channel::open({});
  std::array<std::byte, 64> message{};
  const auto overhead_from = Calls::now();
  const auto before = Calls::now();
  for (int i = 0; i < 1000; ++i) {
    ASSERT_EQ(ends.first.send(message, Deadline::never()), Outcome::done);
    ASSERT_EQ(ends.second.receive(message, Deadline::never()).outcome, Outcome::done);
  }
  const auto after = Calls::now();
  const std::uint64_t looking = before->reads - overhead_from->reads;
  EXPECT_EQ(after->writes - before->writes, 1000U);
  EXPECT_EQ(after->reads - before->reads - looking, 1000U);
}

TEST(Framing, AMessageCostsOneSystemCallASide) {
  expect_one_call_a_side<ipc::Pipe>();
  expect_one_call_a_side<ipc::UnixStream>();
}

TEST(SpscRing, LongMessagesFindAPlaceWhereverTheRingStands) {
  // The bulk ring holds hardly more than two of the longest, so that every wrap is met.
  auto ends = ipc::SpscRing<ipc::Futex>::open(
      {.message_bytes = 1000, .capacity = {.bytes = 1, .messages = 4}});
  std::mt19937 random(3);
  std::uint64_t sent = 0;
  std::uint64_t received = 0;
  std::vector<std::size_t> sizes;
  for (int step = 0; step < 20'000; ++step) {
    const std::size_t size = 1 + random() % 1000;
    if (ends.first.send(tests::message(sent, size), Deadline::now()) == Outcome::done) {
      sizes.push_back(size);
      ++sent;
    }
    if (random() % 2 == 0 && received < sent) {
      tests::expect_number(ends.second, received, sizes[received], Deadline::now());
      ++received;
    }
  }
  EXPECT_GT(received, 5000U);
}

TEST(PosixQueue, AtTheLimitTheErrorNamesItAndTheRemedy) {
  // The limit is of what all of the user's processes have together, so here it is a low one: what
  // is left of the real one is for the tests that run beside this one.
  rlimit limit{};
  ASSERT_EQ(::getrlimit(RLIMIT_MSGQUEUE, &limit), 0);
  rlimit low = limit;
  low.rlim_cur = std::min<rlim_t>(limit.rlim_cur, 100'000);
  ASSERT_EQ(::setrlimit(RLIMIT_MSGQUEUE, &low), 0);
  std::vector<std::pair<ipc::PosixQueue::Sender, ipc::PosixQueue::Receiver>> queues;
  try {
    for (int i = 0; i < 100; ++i) queues.push_back(ipc::PosixQueue::open({.message_bytes = 8192}));
    ADD_FAILURE() << "100 queues and no limit";
  } catch (const std::system_error& error) {
    const std::string text = error.what();
    EXPECT_TRUE(text.find(std::to_string(low.rlim_cur) + " bytes (RLIMIT_MSGQUEUE)") !=
                    std::string::npos ||
                text.find("queues_max") != std::string::npos)
        << text;
  }
  ::setrlimit(RLIMIT_MSGQUEUE, &limit);
}

}  // namespace
