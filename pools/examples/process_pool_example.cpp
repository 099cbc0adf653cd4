// Three worker processes, one function, three numbers.
#include <cstdio>
#include <vector>

#include <fmt/core.h>

#include "ipc/channels/unix_stream.hpp"
#include "pools/process_pool.hpp"

namespace {

int twice(int index) {
  fmt::print("Worker {} started\n", index);
  const int result = index * 2;
  fmt::print("Worker {} result: {}\n", index, result);
  fmt::print("Worker {} finished\n", index);
  std::fflush(stdout);
  return result;
}

}  // namespace

int main() {
  pools::ProcessPool<ipc::UnixStream> pool({.workers = 3});
  const auto results = pool.map(twice, std::vector{0, 1, 2});
  pool.close();
  pool.join();
  for (const int result : results) fmt::print("Result: {}\n", result);
  fmt::print("All workers have finished\n");
}
