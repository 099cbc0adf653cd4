// What does it cost to send a task much data and to have it back? One worker, one task at a time:
// data that is copied there and back, and data that lies in a SharedArray.
#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <random>
#include <span>
#include <stdexcept>
#include <string_view>
#include <vector>

#include "bench/axes.hpp"
#include "bench/main.hpp"
#include "pools/pools.hpp"
#include "pools/shared_array.hpp"

namespace bench {
namespace {

using Bytes = std::vector<std::uint8_t>;
using Array = pools::SharedArray<std::uint8_t>;

Bytes random_bytes(std::size_t count) {
  Bytes bytes(count);
  std::mt19937 random(static_cast<std::mt19937::result_type>(count));
  std::ranges::generate(bytes, [&] { return static_cast<std::uint8_t>(random()); });
  return bytes;
}

void check(std::span<const std::uint8_t> bytes, const Bytes& expected) {
  if (bytes.size() != expected.size() ||
      std::memcmp(bytes.data(), expected.data(), bytes.size()) != 0) {
    throw std::runtime_error("other bytes came back than were sent");
  }
}

Bytes echo(Bytes bytes) {
  return bytes;
}

// Shows that it saw the array itself.
Array touch(const Array& array) {
  ++array[0];
  return array;
}

// Each payload: one task, there and back, and a look at what came when the clock has stopped.

struct Vector {
  static constexpr std::string_view name = "bytes";
  explicit Vector(std::size_t bytes) : sent(random_bytes(bytes)) {}

  void pass(pools::AnyPool& pool) { received = pool.submit(echo, sent).get(); }
  void verify() const { check(received, sent); }

  Bytes sent;
  Bytes received;
};

// The data is already there, and stays.
struct SharedArray {
  static constexpr std::string_view name = "shared_array";
  explicit SharedArray(std::size_t bytes)
      : array(random_bytes(bytes)), expected(random_bytes(bytes)) {}

  void pass(pools::AnyPool& pool) {
    array = pool.submit(touch, array).get();
    ++expected[0];
  }
  void verify() const { check(array.span(), expected); }

  Array array;
  Bytes expected;
};

// The data is elsewhere: the caller copies it in, and afterwards out again.
struct FilledSharedArray {
  static constexpr std::string_view name = "shared_array_filled";
  explicit FilledSharedArray(std::size_t bytes)
      : array(bytes), sent(random_bytes(bytes)), received(bytes) {}

  void pass(pools::AnyPool& pool) {
    std::ranges::copy(sent, array.begin());
    array = pool.submit(touch, array).get();
    std::ranges::copy(array, received.begin());
  }
  void verify() const {
    Bytes expected = sent;
    ++expected[0];
    check(received, expected);
  }

  Array array;
  Bytes sent;
  Bytes received;
};

using Payloads = ipc::TypeList<Vector, FilledSharedArray, SharedArray>;

template <class Payload>
Measured pool_echo(const Suite& suite, const pools::PoolKind& kind, std::size_t bytes) {
  pools::AnyPool pool(kind, {.workers = 1});
  Payload payload(bytes);
  Measured measured = measure(suite.settings(), Batching{}, [&] { payload.pass(pool); });
  payload.verify();
  measured.counters["bytes_per_second"] =
      static_cast<double>(bytes) * static_cast<double>(measured.operations) / measured.seconds;
  return measured;
}

void add_rows(Suite& suite) {
  for (const pools::PoolKind& kind : pools::all_pools()) {
    Payloads::for_each([&]<class Payload>() {
      for (const std::size_t bytes : echo_bytes) {
        if (!takes_part(suite.settings().size, EchoPoint{kind.name, bytes})) continue;
        suite.add(RowName("pool_echo")
                      .with("pool", kind.name)
                      .with("payload", Payload::name)
                      .with("bytes", bytes),
                  [&suite, kind, bytes] { return pool_echo<Payload>(suite, kind, bytes); });
      }
    });
  }
}

}  // namespace
}  // namespace bench

int main(int argc, char** argv) {
  return bench::run(argc, argv, bench::add_rows);
}
