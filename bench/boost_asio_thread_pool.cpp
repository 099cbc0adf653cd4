// boost::asio::thread_pool: https://www.boost.org/doc/libs/release/doc/html/boost_asio.html
#include <latch>

#include <boost/asio/post.hpp>
#include <boost/asio/thread_pool.hpp>
#include <boost/asio/use_future.hpp>

#include "bench/other_pools.hpp"

namespace bench {
namespace {

class AsioThreadPool final : public OtherPool {
 public:
  explicit AsioThreadPool(std::size_t workers) : pool_(workers) {}
  ~AsioThreadPool() override { pool_.join(); }

  std::uint64_t run(const Task& task, std::uint64_t number) override {
    return boost::asio::post(pool_, boost::asio::use_future([&] { return task(number); })).get();
  }

  void map(const Task& task, std::span<const std::uint64_t> numbers,
           std::span<std::uint64_t> results) override {
    std::latch left(static_cast<std::ptrdiff_t>(numbers.size()));
    for (std::size_t i = 0; i < numbers.size(); ++i) {
      boost::asio::post(pool_, [&, i] {
        results[i] = task(numbers[i]);
        left.count_down();
      });
    }
    left.wait();
  }

 private:
  boost::asio::thread_pool pool_;
};

}  // namespace

OtherPoolKind boost_asio_thread_pool() {
  return {.name = "boost_asio_thread_pool",
          .make = [](std::size_t workers) -> std::unique_ptr<OtherPool> {
            return std::make_unique<AsioThreadPool>(workers);
          },
          .why_absent = {}};
}

}  // namespace bench
