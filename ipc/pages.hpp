// An owned piece of the address space (mmap(2)).
#pragma once

#include <sys/mman.h>

#include <cstddef>
#include <string>
#include <utility>

#include "ipc/fd.hpp"
#include "ipc/syscall.hpp"

namespace ipc {

// Unmaps on destruction; moved, never copied.
class Pages {
 public:
  Pages() = default;

  // Of a file, from its start on. Throws std::system_error.
  static Pages of_file(const Fd& fd, std::size_t bytes, int protection, int flags) {
    return {fd.get(), bytes, protection, flags};
  }
  // This process's own. They start as zero and take memory when they are touched.
  static Pages anonymous(std::size_t bytes) {
    return {-1, bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS};
  }

  Pages(Pages&& other) noexcept
      : data_(std::exchange(other.data_, nullptr)), bytes_(std::exchange(other.bytes_, 0)) {}
  Pages& operator=(Pages&& other) noexcept {
    std::swap(data_, other.data_);
    std::swap(bytes_, other.bytes_);
    return *this;
  }
  ~Pages() { reset(); }

  void reset() {
    if (data_ != nullptr) ::munmap(std::exchange(data_, nullptr), std::exchange(bytes_, 0));
  }

  [[nodiscard]] bool mapped() const { return data_ != nullptr; }
  [[nodiscard]] std::byte* data() const { return static_cast<std::byte*>(data_); }
  [[nodiscard]] std::size_t size() const { return bytes_; }

 private:
  Pages(int fd, std::size_t bytes, int protection, int flags) : bytes_(bytes) {
    void* const data = ::mmap(nullptr, bytes, protection, flags, fd, 0);
    if (data == MAP_FAILED) throw_errno("mmap(" + std::to_string(bytes) + " bytes)");
    data_ = data;
  }

  void* data_ = nullptr;
  std::size_t bytes_ = 0;
};

}  // namespace ipc
