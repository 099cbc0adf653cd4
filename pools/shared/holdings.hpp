// How many each process holds, of permits or of places: so that what the dead held is given back.
#pragma once

#include <array>
#include <atomic>
#include <cstddef>
#include <cstdint>

#include "ipc/owner.hpp"

namespace pools {

// In shared memory, under somebody else's lock. Each call changes one count, by one store: a
// process that is killed in between has changed nothing.
class Holdings {
 public:
  static constexpr std::size_t processes_max = 64;  // that hold some at a time

  [[nodiscard]] std::uint64_t total() const;

  // One more for the calling process. Throws std::runtime_error when too many others hold some.
  void add();
  // One less; false when it holds none.
  bool remove();

  // What dead processes held is gone; true if there was anything. A few system calls for each other
  // process that holds some. A process of another PID namespace counts as alive.
  bool forget_the_dead();
  void clear();

 private:
  struct Holding {
    ipc::Owner owner;
    std::atomic<std::uint32_t> count;  // 0: the place is free
  };

  Holding* own();

  std::array<Holding, processes_max> all_{};
};

}  // namespace pools
