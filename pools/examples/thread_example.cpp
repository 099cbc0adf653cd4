// Three threads, started and joined.
#include <thread>
#include <vector>

#include <fmt/core.h>

namespace {

void work(int index) {
  fmt::print("Worker {} started\n", index);
  fmt::print("Worker {} result: {}\n", index, index * 2);
  fmt::print("Worker {} finished\n", index);
}

}  // namespace

int main() {
  std::vector<std::thread> threads;
  for (int index = 0; index < 3; ++index) threads.emplace_back(work, index);
  for (std::thread& thread : threads) thread.join();
  fmt::print("All workers have finished\n");
}
