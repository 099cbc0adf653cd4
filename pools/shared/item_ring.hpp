// The memory of a queue: items of any length in a ring of bytes, found through a ring of places.
//
//   memory:  [QueueState | a place for each item: begin, length | bytes of the items]
#pragma once

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <string_view>
#include <vector>

#include "ipc/channel.hpp"
#include "ipc/flag.hpp"
#include "pools/shared/monitor.hpp"

namespace pools {

// At the start of the memory. Items ever put, got and done: everything else follows from them, and
// each verb changes one of them, last. So whoever is killed has done all of it or nothing.
struct QueueState {
  static constexpr std::string_view kind = "queue";

  QueueState(std::uint64_t items, std::uint64_t bytes) : items_max(items), bytes_max(bytes) {}

  std::uint64_t items_max;
  std::uint64_t bytes_max;
  Monitor monitor;
  Monitor::Change item;
  Monitor::Change room;
  Monitor::Change all_done;
  ipc::Flag closed;
  std::atomic<std::uint64_t> put{0};
  std::atomic<std::uint64_t> got{0};
  std::atomic<std::uint64_t> done{0};
};

// One process's view. Called inside the state's monitor. What peers wrote is copied, then checked,
// then used: std::runtime_error when it is impossible.
class ItemRing {
 public:
  static std::size_t bytes_for(std::uint64_t items, std::uint64_t bytes) {
    return items * sizeof(Place) + bytes;
  }

  ItemRing(QueueState& state, ipc::Buffer memory);

  [[nodiscard]] std::uint64_t items_max() const { return items_max_; }
  [[nodiscard]] std::uint64_t bytes_max() const { return bytes_.size(); }

  [[nodiscard]] std::uint64_t size() const;
  [[nodiscard]] bool has_room(std::size_t bytes) const;
  // Requires room.
  void push(ipc::Bytes item);
  // Requires an item.
  void pop(std::vector<std::byte>& item);

 private:
  struct Place {
    std::uint64_t begin;  // in bytes ever put
    std::uint64_t length;
  };

  [[nodiscard]] Place place(std::uint64_t number) const;
  [[nodiscard]] std::uint64_t end() const;  // where the next item begins

  QueueState* state_;
  std::uint64_t items_max_;
  Place* places_;
  ipc::Buffer bytes_;
};

}  // namespace pools
