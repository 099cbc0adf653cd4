// Duplex<C>: two channels as one end that sends and receives.
//
//   one End   == there ==>   other End
//             <== back ===
#pragma once

#include <string_view>
#include <utility>

#include "ipc/channel.hpp"
#include "ipc/joined_name.hpp"
#include "ipc/message_size.hpp"
#include "ipc/parcel.hpp"
#include "ipc/refinements.hpp"

namespace ipc {

// One thread may send while another one receives: each direction is a channel of its own. When the
// other end goes, what it sent can still be received. Two ends that only send will wait for each
// other as soon as both directions are full.
template <SenderEnd S, ReceiverEnd R>
class DuplexEnd {
 public:
  DuplexEnd(S out, R in) : in_(std::move(in)), out_(std::move(out)) {}
  explicit DuplexEnd(Parcel& parcel) requires Portable<S> && Portable<R> : in_(parcel),
                                                                           out_(parcel) {}
  void pack(Parcel& parcel) && requires Portable<S> && Portable<R> {
    std::move(in_).pack(parcel);  // first: it may refuse
    std::move(out_).pack(parcel);
  }

  [[nodiscard]] Capacity capacity() const { return out_.capacity(); }
  [[nodiscard]] int descriptor() requires PollableReceiver<R> { return in_.descriptor(); }

  Outcome send(Bytes message, Deadline deadline) { return out_.send(message, deadline); }
  Received receive(Buffer buffer, Deadline deadline) { return in_.receive(buffer, deadline); }

 private:
  R in_;
  S out_;
};

// As a channel its Sender is the one end and its Receiver the other; both are of one type.
template <Channel C>
struct Duplex {
  static constexpr std::string_view head = "duplex<";
  static constexpr std::string_view tail = ">";
  static constexpr std::string_view name = JoinedName<head, C::name, tail>::value;
  static constexpr Traits traits = [] {
    Traits all = C::traits;
    all.senders = Arity::one;
    all.receivers = Arity::one;
    return all;
  }();

  using End = DuplexEnd<typename C::Sender, typename C::Receiver>;
  using Sender = End;
  using Receiver = End;

  static std::pair<End, End> open(const Options& options = {}) {
    check_options(name, traits, options);
    auto there = C::open(options);
    auto back = C::open(options);
    return {End(std::move(there.first), std::move(back.second)),
            End(std::move(back.first), std::move(there.second))};
  }
};

}  // namespace ipc
