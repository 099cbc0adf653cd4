// oneapi::tbb::task_arena: https://oneapi-spec.uxlfoundation.org, task_arena class
#include <oneapi/tbb/global_control.h>
#include <oneapi/tbb/task_arena.h>
#include <oneapi/tbb/task_group.h>

#include <future>

#include "bench/other_pools.hpp"

namespace bench {
namespace {

namespace tbb = oneapi::tbb;

class TbbTaskArena final : public OtherPool {
 public:
  // By itself the library has no more threads than there are CPUs, the caller's included.
  explicit TbbTaskArena(std::size_t workers)
      : threads_(tbb::global_control::max_allowed_parallelism, workers + 1),
        arena_(static_cast<int>(workers), 0) {}

  std::uint64_t run(const Task& task, std::uint64_t number) override {
    const auto answer = std::make_shared<std::promise<std::uint64_t>>();
    arena_.enqueue([&task, number, answer] { answer->set_value(task(number)); });
    return answer->get_future().get();
  }

  void map(const Task& task, std::span<const std::uint64_t> numbers,
           std::span<std::uint64_t> results) override {
    tbb::task_group group;
    for (std::size_t i = 0; i < numbers.size(); ++i) {
      arena_.enqueue(group.defer([&, i] { results[i] = task(numbers[i]); }));
    }
    arena_.execute([&] { group.wait(); });
  }

 private:
  tbb::global_control threads_;
  tbb::task_arena arena_;
};

}  // namespace

OtherPoolKind onetbb_task_arena() {
  return {.name = "onetbb_task_arena",
          .make = [](std::size_t workers) -> std::unique_ptr<OtherPool> {
            return std::make_unique<TbbTaskArena>(workers);
          },
          .why_absent = {}};
}

}  // namespace bench
