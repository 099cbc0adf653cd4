// Watched<C>: C, and whoever waits is told of killed peers within 50 ms, without a deadline too.
//
// Each mechanism asks its lifeline when a wait comes to its deadline, so a long wait is cut into
// slices of 10 ms. The end of the slice is kept from call to call: on the way of a message no clock
// is read and the kernel is not asked. What it costs is 100 wake-ups a second while idle. A
// descriptor in the wait would cost none, but only poll(2) takes one, and of the mechanisms that do
// not tell nearly all wait elsewhere: on a futex, in a call of their own, spinning.
#pragma once

#include <cerrno>
#include <chrono>
#include <string_view>
#include <system_error>
#include <utility>

#include "ipc/backoff.hpp"
#include "ipc/channel.hpp"
#include "ipc/joined_name.hpp"
#include "ipc/message_size.hpp"
#include "ipc/parcel.hpp"

namespace ipc {

// How an end waits so that it learns of its peers' death. Belongs to one end.
class Watch {
 public:
  explicit Watch(const Traits& traits)
      : how_(traits.tells_of_peer_death()  ? How::as_it_is
             : traits.waiter_may_be_killed ? How::in_slices
                                           : How::outside) {}

  explicit Watch(Parcel& parcel) : how_(parcel.take<How>()) {}
  void pack(Parcel& parcel) const { parcel.put(how_); }

  // Calls attempt(Deadline), which waits inside the mechanism and returns an Outcome or a Received,
  // until it has not `timed_out` or the deadline is over.
  template <class Attempt>
  auto wait(Deadline deadline, Attempt&& attempt) -> decltype(attempt(deadline)) {
    try {
      switch (how_) {
        case How::as_it_is:
          return attempt(deadline);
        case How::in_slices:
          for (;;) {
            const auto result = attempt(earlier(deadline, slice_end_));
            if (!timed_out(result) || deadline.expired()) return result;
            slice_end_ = Deadline::in(slice);
          }
        case How::outside:
          for (Backoff backoff;;) {
            const auto result = attempt(Deadline::now());
            if (!timed_out(result) || !backoff.wait(deadline)) return result;
          }
      }
    } catch (const std::system_error& error) {
      // A lock died with its owner: nothing more will come through, for anybody.
      if (error.code().value() != ENOTRECOVERABLE) throw;
    }
    return {Outcome::closed};
  }

 private:
  static constexpr std::chrono::milliseconds slice{10};

  // `outside`: looks again and again and never sleeps in a mechanism that a killed sleeper breaks.
  enum class How { as_it_is, in_slices, outside };

  static bool timed_out(Outcome outcome) { return outcome == Outcome::timed_out; }
  static bool timed_out(const Received& received) { return timed_out(received.outcome); }

  How how_;
  Deadline slice_end_ = Deadline::now();
};

template <SenderEnd S>
class WatchedSender {
 public:
  WatchedSender(S end, const Traits& traits) : end_(std::move(end)), watch_(traits) {}
  explicit WatchedSender(Parcel& parcel) requires Portable<S> : end_(parcel), watch_(parcel) {}
  void pack(Parcel& parcel) && requires Portable<S> {
    std::move(end_).pack(parcel);
    watch_.pack(parcel);
  }
  [[nodiscard]] WatchedSender clone() const requires Cloneable<S> { return {end_.clone(), watch_}; }

  [[nodiscard]] Capacity capacity() const { return end_.capacity(); }

  Outcome send(Bytes message, Deadline deadline) {
    return watch_.wait(deadline, [&](Deadline until) { return end_.send(message, until); });
  }

 private:
  WatchedSender(S end, Watch watch) : end_(std::move(end)), watch_(watch) {}

  S end_;
  Watch watch_;
};

template <ReceiverEnd R>
class WatchedReceiver {
 public:
  WatchedReceiver(R end, const Traits& traits) : end_(std::move(end)), watch_(traits) {}
  explicit WatchedReceiver(Parcel& parcel) requires Portable<R> : end_(parcel), watch_(parcel) {}
  void pack(Parcel& parcel) && requires Portable<R> {
    std::move(end_).pack(parcel);
    watch_.pack(parcel);
  }
  [[nodiscard]] WatchedReceiver clone() const requires Cloneable<R> {
    return {end_.clone(), watch_};
  }

  Received receive(Buffer buffer, Deadline deadline) {
    return watch_.wait(deadline, [&](Deadline until) { return end_.receive(buffer, until); });
  }

 private:
  WatchedReceiver(R end, Watch watch) : end_(std::move(end)), watch_(watch) {}

  R end_;
  Watch watch_;
};

// A message is sent in one go of the mechanism. In fragments it is not: it would begin anew with
// each slice that ends between two of them, on a slow machine for ever. Fragmented<Watched<C>> is
// right.
template <class C>
concept SentAtOnce = !requires {
  typename C::Fragments;
};

// A sender that finds room does not wait: it learns when the room is used up. A lock that died with
// its owner ends the channel for everybody: `closed`, and what was in it is lost. Not pollable: the
// descriptor of a mechanism that does not tell would not tell either.
template <Channel C>
requires SentAtOnce<C>
struct Watched {
  static constexpr std::string_view head = "watched<";
  static constexpr std::string_view tail = ">";
  static constexpr std::string_view name = JoinedName<head, C::name, tail>::value;
  static constexpr Traits traits = [] {
    Traits all = C::traits;
    if (all.tells_of_peer_death()) return all;
    all.death_notice = all.waiter_may_be_killed ? "100 looks a second" : "1000 looks a second";
    if (!all.waiter_may_be_killed) all.wait = "looks again";
    return all;
  }();

  using Sender = WatchedSender<typename C::Sender>;
  using Receiver = WatchedReceiver<typename C::Receiver>;

  static std::pair<Sender, Receiver> open(const Options& options = {}) {
    check_options(name, traits, options);
    auto [sender, receiver] = C::open(options);
    return {Sender(std::move(sender), C::traits), Receiver(std::move(receiver), C::traits)};
  }
};

}  // namespace ipc
