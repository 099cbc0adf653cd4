// An array whose elements do not cross: a task is given where they are.
//
//   pools::SharedArray<double> prices(1'000'000);          // at any time, also after the pool
//   pool.for_each([](double& price) { price *= 2; }, prices);
#pragma once

#include <algorithm>
#include <cstddef>
#include <new>
#include <span>
#include <stdexcept>
#include <string>
#include <type_traits>
#include <utility>

#include "pools/codec.hpp"
#include "pools/shared_memory.hpp"

namespace pools {

// Copies are handles of the same elements, which live as long as one of them, or as the future of a
// task that was given one. Workers see what this process writes, and this process what they write:
// who needs an order between the two has it from submit() and get().
// As a range of a pool's calls it goes in parts: for_each() is called with the elements themselves.
// A task may give back what it was given, or a part of that. One that it has made would end with
// its process: that is std::logic_error on its future.
template <class T>
requires(std::is_trivially_copyable_v<T>) class SharedArray {
 public:
  // All bytes zero. Throws std::system_error when there is no memory.
  explicit SharedArray(std::size_t count)
      : memory_(make_shared_memory(std::max<std::size_t>(1, bytes_of(count)))),
        data_(reinterpret_cast<T*>(data_of(*memory_))),
        count_(count) {}
  explicit SharedArray(std::span<const T> values) : SharedArray(values.size()) {
    std::copy(values.begin(), values.end(), data());
  }

  [[nodiscard]] std::size_t size() const { return count_; }
  [[nodiscard]] T* data() const { return data_; }
  [[nodiscard]] T* begin() const { return data_; }
  [[nodiscard]] T* end() const { return data_ + count_; }
  [[nodiscard]] std::span<T> span() const { return {data_, count_}; }
  T& operator[](std::size_t index) const { return data_[index]; }

  // The same elements from `first` on. Throws std::out_of_range when there are not so many.
  [[nodiscard]] SharedArray part(std::size_t first, std::size_t count) const {
    if (first > count_ || count > count_ - first) {
      throw std::out_of_range("an array of " + std::to_string(count_) + " has no " +
                              std::to_string(count) + " from " + std::to_string(first));
    }
    return SharedArray(memory_, data_ + first, count);
  }

  // For the codec (CrossesAsHandle).
  void hand_over(Writer& call) const {
    call.memories().add(memory_);
    encode(call, handle());
  }
  void give_back(const Reader& call, Writer& answer) const {
    if (call.memories() == nullptr || !call.memories()->has(memory_)) {
      throw std::logic_error(
          "the shared array that a task gives back is not one that it was given: it would end with "
          "the task's process; make it where the task is submitted, and pass it as an argument");
    }
    encode(answer, handle());
  }
  static SharedArray take_over(Reader& in) {
    const auto handle = decode<Handle>(in);
    auto memory =
        in.memories() ? in.memories()->open(handle.memory) : open_shared_memory(handle.memory);
    const std::size_t held = size_of(*memory) / sizeof(T);
    if (handle.first > held || handle.count > held - handle.first) {
      throw std::runtime_error("a shared array is longer than its memory");
    }
    T* const data = reinterpret_cast<T*>(data_of(*memory)) + handle.first;
    return SharedArray(std::move(memory), data, handle.count);
  }

 private:
  struct Handle {
    SharedMemoryHandle memory;
    std::size_t first;
    std::size_t count;
  };

  SharedArray(SharedMemoryPtr memory, T* data, std::size_t count)
      : memory_(std::move(memory)), data_(data), count_(count) {}

  static std::size_t bytes_of(std::size_t count) {
    if (count > static_cast<std::size_t>(-1) / 2 / sizeof(T)) throw std::bad_array_new_length();
    return count * sizeof(T);
  }

  [[nodiscard]] Handle handle() const {
    const auto first = data_ - reinterpret_cast<const T*>(data_of(*memory_));
    return {
        .memory = handle_of(*memory_), .first = static_cast<std::size_t>(first), .count = count_};
  }

  SharedMemoryPtr memory_;
  T* data_;
  std::size_t count_;
};

}  // namespace pools
