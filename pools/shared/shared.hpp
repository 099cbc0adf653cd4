// An object in memory that processes share, and its one owner.
//
//   Shared<Event> ready;                     // before fork(), or before the pool is made
//   ipc::Process child([&] { ready->wait(); ... });
//   ready->set();
#pragma once

#include <algorithm>
#include <cstddef>
#include <new>
#include <string_view>
#include <type_traits>
#include <utility>

#include "ipc/channel.hpp"
#include "ipc/layout.hpp"
#include "ipc/mapping.hpp"
#include "ipc/parcel.hpp"

namespace pools {

// What can lie there: it means the same at every address and in every process, and needs no
// destructor, because nobody knows who is the last. Its name is checked by who attaches it.
template <class T>
concept AddressFree = std::is_trivially_destructible_v<T> && requires {
  { T::kind } -> std::convertible_to<std::string_view>;
};

// One user's handle. Processes share the object by fork(), or are handed it in a Parcel; threads of
// a process share one handle. The memory goes with the last handle: not while the object is in use.
// A pool made after it can be given a pointer to the object, in the capture of a task.
template <AddressFree T>
class Shared {
 public:
  // Constructs the object. Throws what its constructor throws, and std::system_error.
  template <class... Args>
  requires std::constructible_from<T, Args...>
  explicit Shared(Args&&... args) : Shared(Room{0}, std::forward<Args>(args)...) {}

  // The same with so many bytes of memory, zeros, behind the object.
  struct Room {
    std::size_t bytes;
  };
  template <class... Args>
  requires std::constructible_from<T, Args...>
  explicit Shared(Room room, Args&&... args)
      : mapping_(ipc::Mapping::create(sizeof(Placed) + room.bytes)) {
    placed_ = new (mapping_.data()) Placed{ipc::Layout(T::kind), T(std::forward<Args>(args)...)};
  }

  // In a process that did not inherit it. Throws std::runtime_error when the parcel is not what it
  // claims to be.
  explicit Shared(ipc::Parcel& parcel)
      : mapping_(parcel), placed_(&ipc::attach_header<Placed>(mapping_.bytes())) {}
  // Makes one more user.
  void pack(ipc::Parcel& parcel) const { mapping_.pack(parcel); }

  [[nodiscard]] T* get() const { return &placed_->object; }
  T* operator->() const { return get(); }
  T& operator*() const { return *get(); }
  [[nodiscard]] ipc::Buffer room() const { return mapping_.bytes().subspan(sizeof(Placed)); }

 private:
  struct Placed {
    static constexpr std::string_view kind = T::kind;
    ipc::Layout layout;
    T object;
  };

  ipc::Mapping mapping_;
  Placed* placed_;
};

}  // namespace pools
