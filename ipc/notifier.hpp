// The contract of a notifier: one side wakes the other, and says nothing else.
//
// - After notify(), wait() returns true, once or more often than not at all: a notification is
// never
//   lost, and those that nobody has waited for yet are told as one. What the notifying side wrote
//   before is visible to the side that was told.
// - wait() returns false at its deadline. A signal handler that returns changes nothing.
// - Opened before fork() or before threads start; each side has one end, and destroys its copy of
//   the other one where it is a process. An end belongs to one thread at a time.
// - The other side may be killed: notify() goes on, and wait() has its deadline.
// - std::system_error with the name of the call for what is not expected. Nothing is left behind.
#pragma once

#include <concepts>
#include <string_view>
#include <utility>

#include "ipc/deadline.hpp"
#include "ipc/mapping.hpp"
#include "ipc/parcel.hpp"

namespace ipc {

template <class B>
concept BellEnd = std::movable<B> && std::constructible_from<B, Parcel&> &&
    requires(B bell, Parcel& parcel) {
  { bell.notify() } -> std::same_as<void>;
  { std::move(bell).pack(parcel) } -> std::same_as<void>;
};

template <class W>
concept WaiterEnd = std::movable<W> && std::constructible_from<W, Parcel&> &&
    requires(W waiter, Parcel& parcel, Deadline deadline) {
  { waiter.wait(deadline) } -> std::same_as<bool>;
  { std::move(waiter).pack(parcel) } -> std::same_as<void>;
};

template <class N>
concept Notifier = BellEnd<typename N::Bell> && WaiterEnd<typename N::Waiter> && requires {
  { N::name } -> std::convertible_to<std::string_view>;
  { N::open() } -> std::same_as<std::pair<typename N::Bell, typename N::Waiter>>;
};

// What an end of a notifier in shared memory holds.
class MappedEnd {
 public:
  explicit MappedEnd(Mapping mapping) : mapping_(std::move(mapping)) {}
  explicit MappedEnd(Parcel& parcel) : mapping_(Mapping::attach(parcel.take_fd())) {}
  void pack(Parcel& parcel) && { parcel.put(mapping_.fd().duplicate()); }

 protected:
  Mapping mapping_;
};

}  // namespace ipc
