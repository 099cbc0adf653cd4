// How many threads the program has made, the main one included.
#pragma once

#include <cstddef>
#include <filesystem>
#include <iterator>

#if defined(__has_feature)
#if __has_feature(thread_sanitizer)
#define __SANITIZE_THREAD__ 1  // as GCC says it
#endif
#endif

namespace pools {

#if defined(__SANITIZE_THREAD__)
inline constexpr std::size_t sanitizer_threads = 1;  // its own, which it stops around fork()
#else
inline constexpr std::size_t sanitizer_threads = 0;
#endif

inline std::size_t program_threads() {
  const std::filesystem::directory_iterator tasks("/proc/self/task");
  return static_cast<std::size_t>(std::distance(begin(tasks), end(tasks))) - sanitizer_threads;
}

}  // namespace pools
