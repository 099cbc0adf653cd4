// A message while it is written: in this process's memory, and in shared memory once it is long.
#pragma once

#include <cstddef>
#include <cstring>
#include <memory>
#include <span>
#include <utility>

#include "pools/arena.hpp"
#include "pools/shared_memory.hpp"

namespace pools {

class Writer {
 public:
  // Leaves `prefix_bytes` for a header that is filled in later. Long messages go to `shared`, if
  // there is one and it has memory: it has to live until then.
  explicit Writer(std::size_t prefix_bytes = 0, ArenaOwner* shared = nullptr);
  Writer(Writer&& other) noexcept { swap(other); }
  Writer& operator=(Writer&& other) noexcept {
    swap(other);
    return *this;
  }

  void put(const void* data, std::size_t bytes) {
    if (bytes == 0) return;
    if (bytes > capacity_ - size_) grow(size_ + bytes);
    std::memcpy(data_ + size_, data, bytes);
    size_ += bytes;
  }
  // Zeros until what comes next is aligned, counted from the end of the prefix. Reader::align()
  // leaves them out.
  void align(std::size_t alignment) {
    constexpr std::byte zeros[alignof(std::max_align_t)]{};
    put(zeros, padding(size_ - prefix_, alignment));
  }

  // What the receiver is told of and opens: it is here as long as this is.
  [[nodiscard]] SharedMemories& memories() { return memories_; }

  [[nodiscard]] std::size_t size() const { return size_; }
  // Forgets what was written after the first `size` bytes.
  void truncate(std::size_t size) { size_ = size; }
  [[nodiscard]] std::span<std::byte> bytes() { return {data_, size_}; }
  // Not valid while everything is in this process's memory.
  [[nodiscard]] const Block& block() const { return block_; }
  // What was written stays where it is, and is the block's owner's to free.
  [[nodiscard]] Block take_block() { return std::move(block_); }

  // Bytes from `position` to the next multiple. Of alignments beyond every type's there are none.
  static std::size_t padding(std::size_t position, std::size_t alignment) {
    if (alignment > alignof(std::max_align_t)) return 0;
    return (alignment - position % alignment) % alignment;
  }

 private:
  void grow(std::size_t needed);

  void swap(Writer& other) noexcept {
    own_.swap(other.own_);
    std::swap(block_, other.block_);
    std::swap(shared_, other.shared_);
    std::swap(data_, other.data_);
    std::swap(prefix_, other.prefix_);
    std::swap(size_, other.size_);
    std::swap(capacity_, other.capacity_);
    std::swap(memories_, other.memories_);
  }

  std::unique_ptr<std::byte[]> own_;  // one of the two holds the bytes
  Block block_;
  ArenaOwner* shared_ = nullptr;
  std::byte* data_ = nullptr;
  std::size_t prefix_ = 0;
  std::size_t size_ = 0;
  std::size_t capacity_ = 0;
  SharedMemories memories_;
};

}  // namespace pools
