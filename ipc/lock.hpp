// The contract of a lock, between threads or between processes.
//
// - lock() waits until nobody else has it, unlock() is called by who has. What was written under it
//   is visible to whoever has it next. A signal handler that returns changes nothing.
// - A new one is free. It is constructed once, before fork() or before threads start. One that
//   `lies_in_memory` does so in memory that all its users share. The others may lie anywhere: who
//   inherits the object has the lock.
// - std::system_error with the name of the call for what is not expected.
// - Nothing is left behind when the last user is gone, whoever is killed.
#pragma once

#include <concepts>
#include <cstdint>
#include <string_view>

#include "ipc/parcel.hpp"

namespace ipc {

// What becomes of a lock when a process is killed that has it.
enum class OwnerDeath : std::uint8_t {
  frees,   // the next one gets it
  breaks,  // everybody else gets std::system_error(ENOTRECOVERABLE), for ever
  blocks,  // everybody else waits for ever
};

// What a lock can do. The same constants skip tests, choose scenarios and fill tables.
struct LockTraits {
  bool excludes_threads = true;  // of one process; false: all threads of a process have it at once
  bool crosses_processes = false;
  OwnerDeath owner_death = OwnerDeath::blocks;
  bool waiter_may_be_killed = true;  // without harm to anybody else
  bool fair = false;                 // first come, first served
  bool spins = false;                // who waits keeps a CPU busy
  bool lies_in_memory = true;        // and nowhere else; false: see PortableLock
};

// A lock with an object outside of memory can be handed to a process that did not inherit it: what
// pack() puts into the parcel makes one more user there. The caller does not have it meanwhile.
template <class L>
concept PortableLock = std::constructible_from<L, Parcel&> &&
    requires(const L& lock, Parcel& parcel) {
  { lock.pack(parcel) } -> std::same_as<void>;
};

template <class L>
concept Lock = std::default_initializable<L> && requires(L lock) {
  { L::name } -> std::convertible_to<std::string_view>;
  { L::traits } -> std::convertible_to<LockTraits>;
  lock.lock();
  lock.unlock();
} &&(L::traits.lies_in_memory || PortableLock<L>);

// Readers share it.
template <class L>
concept SharedLockable = requires(L lock) {
  lock.lock_shared();
  lock.unlock_shared();
};

}  // namespace ipc
