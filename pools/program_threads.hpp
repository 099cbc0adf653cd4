// How many threads the program has, the main one included.
#pragma once

#include <algorithm>
#include <csignal>
#include <cstddef>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <sstream>
#include <string>
#include <vector>

// In programs that are built with ThreadSanitizer.
extern "C" [[gnu::weak]] void __tsan_init();  // NOLINT: a reserved name, and the right one

namespace pools {

namespace detail {

// Whether a thread is the program's own and still runs; `task` is its folder in /proc (proc(5)).
inline bool runs(const std::filesystem::directory_entry& task) {
  std::ifstream file(task.path() / "stat");
  const std::string text(std::istreambuf_iterator<char>(file), {});
  std::istringstream behind_name(text.substr(text.rfind(')') + 1));
  const std::vector<std::string> fields(std::istream_iterator<std::string>(behind_name), {});
  if (fields.empty()) return false;  // it has ended since it was listed
  const auto field = [&](std::size_t number) { return std::stoul(fields.at(number - 3)); };
  // A thread that was joined is on its way out, and listed until it is gone.
  constexpr unsigned long exiting = 0x4;  // PF_EXITING
  if ((field(9) & exiting) != 0) return false;
  // ThreadSanitizer starts threads when it likes (in a forked child, after the first std::thread);
  // all that tells them apart is that they block even this.
  const bool blocks_faults = (field(32) & (1UL << (SIGSEGV - 1))) != 0;
  return __tsan_init == nullptr || !blocks_faults;
}

}  // namespace detail

inline std::size_t program_threads() {
  const std::filesystem::directory_iterator tasks("/proc/self/task");
  return static_cast<std::size_t>(std::count_if(begin(tasks), end(tasks), detail::runs));
}

}  // namespace pools
