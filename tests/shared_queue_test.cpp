// Queues and pipes between processes and between threads, with peers that are killed.
#include <deque>
#include <map>
#include <numeric>
#include <random>
#include <stdexcept>
#include <string>
#include <vector>

#include <gmock/gmock.h>

#include "pools/shared/pipe.hpp"
#include "pools/shared/queue.hpp"
#include "tests/shared_fixture.hpp"

namespace {

using namespace shared_test;
using ipc::Outcome;
using pools::Pipe;
using pools::Queue;
using pools::QueueOptions;
using pools::Shared;
using pools::SimpleQueue;

TYPED_TEST_SUITE(Workers, BothWorkers, WorkerName);

// Cannot always be encoded or decoded.
struct Moody {
  int number = 0;
  template <class Archive>
  void save(Archive& archive) const {
    archive(number);
    if (number == 1) throw std::domain_error("cannot be encoded");
  }
  template <class Archive>
  void load(Archive& archive) {
    archive(number);
    if (number == 2) throw std::domain_error("cannot be decoded");
  }
  Moody() = default;
  explicit Moody(int n) : number(n) {}
  Moody(const Moody& other) : number(other.number) {}
  Moody& operator=(const Moody&) = default;
};
static_assert(!pools::PlainBytes<Moody>);

// --- Queue

TEST_F(Guarded, a_queue_is_bounded_and_in_order) {
  Queue<int> queue({.items = 3});
  EXPECT_TRUE(queue.empty());
  for (int i = 0; i < 3; ++i) {
    EXPECT_FALSE(queue.full());
    EXPECT_EQ(queue.put(i, Deadline::now()), Outcome::done);
  }
  EXPECT_TRUE(queue.full());
  EXPECT_EQ(queue.size(), 3U);
  EXPECT_EQ(queue.put(3, Deadline::now()), Outcome::timed_out);
  EXPECT_GE(time_of([&] {
              EXPECT_EQ(queue.put(3, Deadline::in(milliseconds(120))), Outcome::timed_out);
            }),
            milliseconds(120));
  for (int i = 0; i < 3; ++i) EXPECT_EQ(*queue.get(), i);
  EXPECT_EQ(queue.get(Deadline::now()).outcome, Outcome::timed_out);
  EXPECT_GE(time_of([&] { EXPECT_FALSE(queue.get(Deadline::in(milliseconds(120)))); }),
            milliseconds(120));
}

TEST_F(Guarded, items_of_all_lengths_go_around_the_ring) {
  Queue<std::string> queue({.items = 5, .bytes = 100});
  std::deque<std::string> expected;
  for (unsigned i = 0; i < 2000; ++i) {
    const std::string item(i * 7 % 40, static_cast<char>('a' + i % 26));
    while (queue.put(item, Deadline::now()) == Outcome::timed_out) {
      ASSERT_FALSE(expected.empty());
      EXPECT_EQ(*queue.get(), expected.front());
      expected.pop_front();
    }
    expected.push_back(item);
    EXPECT_EQ(queue.size(), expected.size());
  }
}

TEST_F(Guarded, an_item_that_cannot_be_put_changes_nothing) {
  Queue<Moody> moody;
  EXPECT_THROW(moody.put(Moody(1)), std::domain_error);
  EXPECT_EQ(moody.size(), 0U);
  EXPECT_EQ(moody.put(Moody(2)), Outcome::done);
  EXPECT_EQ(moody.put(Moody(3)), Outcome::done);
  EXPECT_THROW(static_cast<void>(moody.get()), std::domain_error);
  EXPECT_EQ(moody.size(), 1U);
  EXPECT_EQ(moody.get()->number, 3);

  Queue<std::string> texts({.items = 4, .bytes = 100});
  EXPECT_THROW(texts.put(std::string(100, 'x')), std::length_error);
  EXPECT_TRUE(texts.empty());
  EXPECT_EQ(texts.put(std::string(92, 'x')), Outcome::done) << "8 bytes are its length";
}

TEST_F(Guarded, a_queue_for_nothing_is_refused) {
  EXPECT_THROW(Queue<int>({.items = 0}), std::invalid_argument);
  EXPECT_THROW(Queue<std::string>({.items = 0}), std::invalid_argument);
}

TYPED_TEST(Workers, put_and_get_each_item_once) {
  constexpr int items = 2000;
  Queue<int> queue({.items = 16});
  const Shared<Counters> counters;
  std::deque<TypeParam> workers;
  for (int i = 0; i < 2; ++i) {
    workers.emplace_back([&] {
      for (int n = 1; n <= items; ++n) queue.put(n);
      return true;
    });
    workers.emplace_back([&] {
      std::map<int, int> last;
      while (auto item = queue.get()) {
        counters->sum += *item;
        ++counters->ended;
        queue.task_done();
      }
      return true;
    });
  }
  await(counters->ended, 2 * items);
  EXPECT_TRUE(queue.join());
  queue.close();
  for (auto& worker : workers) EXPECT_TRUE(worker.join());
  EXPECT_EQ(counters->sum, items * (items + 1));
}

TYPED_TEST(Workers, are_told_that_a_queue_is_closed) {
  SimpleQueue<int> empty;
  SimpleQueue<int> full({.items = 1});
  full.put(7);
  TypeParam getter([&] { return empty.get().outcome == Outcome::closed; });
  TypeParam putter([&] { return full.put(8) == Outcome::closed; });
  pause_ms(10);
  empty.close();
  full.close();
  EXPECT_TRUE(getter.join());
  EXPECT_TRUE(putter.join());
  EXPECT_EQ(*full.get(), 7) << "what was put before is still there";
  EXPECT_EQ(full.get().outcome, Outcome::closed);
}

TYPED_TEST(Workers, wait_until_all_is_done) {
  Queue<int> queue;
  const Shared<Counters> counters;
  for (int i = 0; i < 3; ++i) queue.put(i);
  TypeParam worker([&] {
    for (int i = 0; i < 3; ++i) {
      if (queue.get()) ++counters->ended;
      pause_ms(5);
      queue.task_done();
    }
    return true;
  });
  EXPECT_TRUE(queue.join());
  EXPECT_EQ(counters->ended, 3);
  EXPECT_THROW(queue.task_done(), std::logic_error);
  queue.put(3);
  EXPECT_FALSE(queue.join(Deadline::in(milliseconds(20))));
  EXPECT_TRUE(worker.join());
}

TEST_F(Guarded, a_queue_is_handed_over) {
  Queue<std::string> queue;
  queue.put("there");
  EXPECT_TRUE(handed_over(queue, [](Queue<std::string>& theirs) {
    return *theirs.get() == "there" && theirs.put("back") == Outcome::done;
  }));
  EXPECT_EQ(*queue.get(), "back");
}

TEST_F(Guarded, a_queue_that_is_damaged_is_refused) {
  Queue<int> queue({.items = 4});
  const auto parcel_with = [&](std::size_t word, std::uint64_t value) {
    ipc::Parcel parcel;
    queue.pack(parcel);
    const auto mapping = ipc::Mapping::attach(parcel.take_fd());
    // Behind the layout: items_max, bytes_max.
    std::memcpy(mapping.data() + sizeof(ipc::Layout) + word * sizeof value, &value, sizeof value);
    ipc::Parcel again;
    queue.pack(again);
    return again;
  };
  for (const std::uint64_t value : {std::uint64_t{0}, std::uint64_t{5}, ~std::uint64_t{0}}) {
    auto items = parcel_with(0, value);
    EXPECT_THROW(Queue<int>{items}, std::runtime_error);
  }
  auto right = parcel_with(0, 4);
  EXPECT_EQ(Queue<int>(right).put(1), Outcome::done);
  auto bytes = parcel_with(1, 1000);
  EXPECT_THROW(Queue<int>{bytes}, std::runtime_error);
}

TEST_F(Guarded, an_item_of_another_type_is_refused) {
  Queue<long> longs({.items = 4});
  ipc::Parcel parcel;
  longs.pack(parcel);
  Queue<char> chars(parcel);
  longs.put(1);
  EXPECT_THROW(static_cast<void>(chars.get()), std::runtime_error);
  chars.put('x');
  EXPECT_THROW(static_cast<void>(longs.get()), std::runtime_error);
  EXPECT_TRUE(longs.empty());
}

// Whoever is killed, at whatever instant: the items are whole, the others go on.
TEST_F(Guarded, a_queue_goes_on_whenever_its_users_are_killed) {
  // Long ones, so that many are killed while they copy.
  Queue<std::vector<int>> queue({.items = 4, .bytes = std::size_t{1} << 20});
  const Shared<Counters> counters;
  std::minstd_rand random(8);
  const auto put = [&]() -> int {
    std::minstd_rand sizes(static_cast<unsigned>(::getpid()));
    for (;;) {
      const auto size = static_cast<std::size_t>(sizes() % 100'000);
      queue.put(std::vector<int>(size, static_cast<int>(size)));
    }
  };
  const auto get = [&] {
    for (;;) {
      const auto item = queue.get();
      const auto size = static_cast<int>(item.value->size());
      for (const int each : *item.value) {
        if (each != size) return 1;
      }
      ++counters->sum;
    }
  };
  ipc::Process putter(put);
  ipc::Process getter(get);
  for (int i = 0; i < 60; ++i) {
    ipc::Process dead_putter(put);
    ipc::Process dead_getter(get);
    std::this_thread::sleep_for(microseconds(random() % 4000));
    kill(dead_putter);
    EXPECT_FALSE(dead_getter.join(Deadline::now()).has_value()) << "an item was torn";
    kill(dead_getter);
  }
  const int before = counters->sum;
  await(counters->sum, before + 10);
  EXPECT_FALSE(getter.join(Deadline::now()).has_value()) << "an item was torn";
}

// --- Pipe

TYPED_TEST(Workers, answer_over_a_pipe) {
  auto [client, server] = Pipe<std::string, std::size_t>::open();
  TypeParam worker([&client = client, &server = server] {
    if constexpr (std::is_same_v<TypeParam, InProcess>) auto closed = std::move(client);
    while (auto text = server.receive()) server.send(text->size());
    return true;
  });
  for (const std::size_t size : {0, 1, 100, 70'000, 900'000}) {
    EXPECT_EQ(client.send(std::string(size, 'x')), Outcome::done);
    EXPECT_TRUE(client.poll(Deadline::never()));
    EXPECT_EQ(*client.receive(), size);
  }
  EXPECT_FALSE(client.poll());
  EXPECT_EQ(client.receive(Deadline::in(milliseconds(20))).outcome, Outcome::timed_out);
  { auto closed = std::move(client); }
  EXPECT_TRUE(worker.join());
}

TEST_F(Guarded, a_connection_tells_that_its_peer_is_gone) {
  auto ends = Pipe<int>::open();
  auto [ours, theirs] = std::move(ends);
  ipc::Process child([&ours = ours, &theirs = theirs] {
    { auto closed = std::move(ours); }
    theirs.send(1);
    theirs.send(2);
    return ::pause();
  });
  { auto closed = std::move(theirs); }
  EXPECT_EQ(*ours.receive(), 1);
  EXPECT_TRUE(ours.poll(Deadline::never()));
  kill(child);
  EXPECT_EQ(*ours.receive(), 2);
  EXPECT_EQ(ours.receive().outcome, Outcome::closed);
  EXPECT_TRUE(ours.poll()) << "the end is something to be told";
  EXPECT_EQ(ours.receive().outcome, Outcome::closed);
  EXPECT_EQ(ours.send(3), Outcome::closed);
}

// In the middle of a long value: the other one is given whole values, and then the end.
TEST_F(Guarded, a_connection_survives_a_sender_that_is_killed_at_any_instant) {
  using Numbers = std::vector<int>;
  std::minstd_rand random(9);
  for (int i = 0; i < 40; ++i) {
    auto ends = Pipe<Numbers>::open();
    auto& [ours, theirs] = ends;
    ipc::Process victim([&ours = ours, &theirs = theirs]() -> int {
      { auto closed = std::move(ours); }
      for (;;) theirs.send(Numbers(100'000, 7));
    });
    { auto closed = std::move(theirs); }
    std::this_thread::sleep_for(microseconds(random() % 3000));
    victim.kill(SIGKILL);
    while (auto numbers = ours.receive()) {
      EXPECT_EQ(std::accumulate(numbers->begin(), numbers->end(), 0), 700'000);
    }
  }
}

TEST_F(Guarded, a_value_that_does_not_fit_a_pipe_is_refused) {
  auto [ours, theirs] = Pipe<std::string>::open(100);
  EXPECT_THROW(ours.send(std::string(93, 'x')), std::length_error);
  EXPECT_EQ(ours.send("short"), Outcome::done);
  EXPECT_EQ(*theirs.receive(), "short");
  EXPECT_THROW(Pipe<int>::open(0), std::invalid_argument);
}

TEST_F(Guarded, a_value_of_another_type_is_refused) {
  auto [ours, theirs] = Pipe<long>::open();
  ipc::Parcel parcel;
  std::move(theirs).pack(parcel);
  pools::Connection<char, std::string> wrong(parcel);
  ours.send(5);
  EXPECT_THROW(static_cast<void>(wrong.receive()), std::runtime_error);
  wrong.send('x');
  EXPECT_THROW(static_cast<void>(ours.receive()), std::runtime_error);
}

TEST_F(Guarded, a_connection_is_handed_over) {
  auto [ours, theirs] = Pipe<int>::open();
  ours.send(1);
  EXPECT_TRUE(theirs.poll(Deadline::never()));
  ipc::Parcel parcel;
  EXPECT_THROW(std::move(theirs).pack(parcel), std::logic_error) << "it holds a value";
  EXPECT_EQ(*theirs.receive(), 1);
  ours.send(2);
  EXPECT_TRUE(handed_over(
      theirs, [](auto& end) { return *end.receive() == 2 && end.send(3) == Outcome::done; }));
  EXPECT_EQ(*ours.receive(), 3);
}

}  // namespace
