// Pools of others, measured beside ours: thread pools of C++ here, and Python's in python_pools.
#pragma once

#include <unistd.h>

#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <span>
#include <string_view>

namespace bench {

class OtherPool {
 public:
  using Task = std::function<std::uint64_t(std::uint64_t)>;

  OtherPool() = default;
  OtherPool(const OtherPool&) = delete;
  OtherPool& operator=(const OtherPool&) = delete;
  virtual ~OtherPool() = default;

  // Has a worker call the task, and waits for its result. The task must not throw.
  virtual std::uint64_t run(const Task& task, std::uint64_t number) = 0;

  // One task for each number; results[i] is that of numbers[i]. Returns when all are there.
  virtual void map(const Task& task, std::span<const std::uint64_t> numbers,
                   std::span<std::uint64_t> results) = 0;
};

struct OtherPoolKind {
  std::string_view name;
  std::unique_ptr<OtherPool> (*make)(std::size_t workers);  // null when it is absent
  std::string_view why_absent;                              // empty when it is there
};

OtherPoolKind boost_asio_thread_pool();
OtherPoolKind onetbb_task_arena();

// The interpreter that python_pools names in its first line: the distribution's, not whichever is
// first in PATH.
inline constexpr const char* python = "/usr/bin/python3";
inline bool has_python() {
  return ::access(python, X_OK) == 0;
}

}  // namespace bench
