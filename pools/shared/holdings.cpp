#include "pools/shared/holdings.hpp"

#include <unistd.h>

#include <algorithm>
#include <stdexcept>
#include <string>

namespace pools {

namespace {

// Asked of /proc once a process: fork(2) copies the answer, and changes the pid.
const ipc::Owner& this_process() {
  thread_local ipc::Owner known = ipc::Owner::self();
  if (known.pid != ::getpid()) known = ipc::Owner::self();
  return known;
}

// Under the lock of whoever has the holdings; atomic for the sake of who is killed.
constexpr auto relaxed = std::memory_order_relaxed;

}  // namespace

std::uint64_t Holdings::total() const {
  std::uint64_t sum = 0;
  for (const auto& holding : all_) sum += holding.count.load(relaxed);
  return sum;
}

Holdings::Holding* Holdings::own() {
  const auto mine = std::find_if(all_.begin(), all_.end(), [](const Holding& holding) {
    return holding.count.load(relaxed) > 0 && holding.owner == this_process();
  });
  return mine == all_.end() ? nullptr : &*mine;
}

void Holdings::add() {
  Holding* mine = own();
  if (mine == nullptr) {
    const auto is_free = [](const Holding& holding) { return holding.count.load(relaxed) == 0; };
    mine = std::find_if(all_.begin(), all_.end(), is_free);
    if (mine == all_.end() && forget_the_dead())
      mine = std::find_if(all_.begin(), all_.end(), is_free);
    if (mine == all_.end()) {
      throw std::runtime_error(std::to_string(processes_max) +
                               " processes use this object at a time, there is no place for one "
                               "more; let some of them finish, or divide them over two objects");
    }
    mine->owner = this_process();
  }
  // Release: for who is killed the owner is written before the count says so.
  mine->count.store(mine->count.load(relaxed) + 1, std::memory_order_release);
}

bool Holdings::remove() {
  Holding* const mine = own();
  if (mine == nullptr) return false;
  mine->count.store(mine->count.load(relaxed) - 1, relaxed);
  return true;
}

bool Holdings::forget_the_dead() {
  bool found = false;
  for (auto& holding : all_) {
    if (holding.count.load(relaxed) == 0 || holding.owner == this_process()) continue;
    if (holding.owner.look().state != ipc::Owner::State::dead) continue;
    holding.count.store(0, relaxed);
    found = true;
  }
  return found;
}

void Holdings::clear() {
  for (auto& holding : all_) holding.count.store(0, relaxed);
}

}  // namespace pools
