// A lock-free ring in shared memory, for many senders and many receivers: ipc/slot_ring.hpp, and
// how its ends wait.
//
// Who waits behind a claim whose claimant is gone makes the slot free again. A message half written
// was then never sent; one half read went to the receiver that was killed. An end that is only
// stopped keeps its claim: the others wait behind it, in order, until their deadlines.
#pragma once

#include <atomic>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <optional>
#include <string>
#include <utility>

#include "ipc/channel.hpp"
#include "ipc/claimant.hpp"
#include "ipc/joined_name.hpp"
#include "ipc/layout.hpp"
#include "ipc/lifeline.hpp"
#include "ipc/message_size.hpp"
#include "ipc/parcel.hpp"
#include "ipc/refinements.hpp"
#include "ipc/slot_ring.hpp"
#include "ipc/waits.hpp"

namespace ipc {

// What an end of either side is. A claim that is still open when an end goes is ended by whoever
// waits behind it, and not here: a copy of the end in another process may be the one that uses it.
template <WaitStrategy W>
class MpmcEnd {
 public:
  using Ring = SlotRing<typename W::Place>;
  using Phase = Turn::Phase;

  MpmcEnd(Ring ring, Lifeline lifeline, W message, W room)
      : ring_(std::move(ring)),
        lifeline_(std::move(lifeline)),
        claimant_(ring_.new_claimant()),
        message_(std::move(message)),
        room_(std::move(room)) {}
  explicit MpmcEnd(Parcel& parcel)
      : ring_(parcel),
        lifeline_(parcel),
        claimant_(parcel),
        message_(parcel),
        room_(parcel),
        claim_(parcel.take<std::optional<Turn>>()) {}

  void pack(Parcel& parcel) && {
    std::move(ring_).pack(parcel);
    std::move(lifeline_).pack(parcel);
    std::move(claimant_).pack(parcel);
    std::move(message_).pack(parcel);
    std::move(room_).pack(parcel);
    parcel.put(claim_);
  }
  [[nodiscard]] MpmcEnd clone() const {
    return {ring_, lifeline_.clone(), message_.clone(), room_.clone()};
  }

 protected:
  // Claims the next slot; otherwise says what is in the way.
  std::optional<Turn> try_claim(std::atomic<std::uint64_t>& next, Phase from, Phase to,
                                Deadline deadline) {
    const auto attempt = ring_.try_claim(next, from, to, claimant_.number(), deadline);
    if (!attempt.claimed) return attempt.turn;
    claim_ = attempt.turn;
    return std::nullopt;
  }

  // Ends a claim without a message; receivers may be waiting for that message, and senders for
  // room.
  void skip(Turn claim) {
    ring_.set_free(claim);
    message_.notify(ring_.header().message);
    room_.notify(ring_.header().room);
  }

  // Waits until what is in the way has changed, or left() is true; `closed` when neither will be,
  // because the peers are gone. In pieces: who was killed has not woken anybody.
  template <class Left>
  Outcome await_change(W& wait, typename W::Place& place, Turn in_the_way, Left&& left,
                       Deadline deadline) {
    const auto& turn = ring_.slot(in_the_way.ticket()).turn;
    const auto changed = [&] {
      return turn.load(std::memory_order_relaxed) != in_the_way || left();
    };
    for (;;) {
      const auto piece = deadline.is_now() ? deadline : earlier(deadline, Deadline::in(patience));
      if (wait.await(place, changed, piece)) return Outcome::done;
      if (in_the_way.claimed() && claimant_.is_gone(in_the_way.claimant())) {
        skip(in_the_way);
        return Outcome::done;
      }
      // A message that is being written keeps the channel open, until its sender is gone too.
      if (in_the_way.phase() != Phase::writing && lifeline_.peers_gone(deadline))
        return Outcome::closed;
      if (deadline.expired()) return Outcome::timed_out;
    }
  }

  static constexpr std::chrono::milliseconds patience{20};

  Ring ring_;
  Lifeline lifeline_;
  Claimant claimant_;
  W message_;
  W room_;
  std::optional<Turn> claim_;  // a loan, or a message that is borrowed
};

template <WaitStrategy W>
class MpmcSender : public MpmcEnd<W> {
  using End = MpmcEnd<W>;
  using Phase = typename End::Phase;

 public:
  explicit MpmcSender(End end) : End(std::move(end)) {}
  explicit MpmcSender(Parcel& parcel) : End(parcel) {}

  MpmcSender(MpmcSender&&) noexcept = default;
  MpmcSender& operator=(MpmcSender&& other) noexcept { return replace(*this, std::move(other)); }
  ~MpmcSender() {
    if (!this->lifeline_.attached() || !this->lifeline_.leave()) return;
    auto& header = this->ring_.header();
    header.senders_gone.raise();  // partner: borrow
    this->message_.notify(header.message);
  }

  [[nodiscard]] MpmcSender clone() const { return MpmcSender(End::clone()); }
  [[nodiscard]] Capacity capacity() const {
    return {.bytes = this->ring_.slots() * this->ring_.slot_bytes(),
            .messages = this->ring_.slots()};
  }

  Outcome send(Bytes message, Deadline deadline) {
    const Loan loaned = loan(message.size(), deadline);
    if (loaned.outcome != Outcome::done) return loaned.outcome;
    std::memcpy(loaned.room.data(), message.data(), message.size());
    return commit();
  }

  Loan loan(std::size_t bytes, Deadline deadline) {
    check_message_size(bytes, this->ring_.message_bytes());
    take_back();
    auto& header = this->ring_.header();
    const auto receivers_gone = [&] { return this->receivers_gone(); };
    for (std::uint64_t tries = 1;; ++tries) {
      if (receivers_gone()) return {Outcome::closed, {}};
      const auto in_the_way = this->try_claim(header.tail, Phase::free, Phase::writing, deadline);
      if (!in_the_way) break;
      const Outcome outcome =
          this->await_change(this->room_, header.room, *in_the_way, receivers_gone, deadline);
      if (outcome != Outcome::done) return {outcome, {}};
      if (this->ring_.gives_up(tries, deadline)) return {Outcome::timed_out, {}};
    }
    auto& slot = this->ring_.slot(this->claim_->ticket());
    slot.length = static_cast<std::uint32_t>(bytes);
    return {Outcome::done, {slot.payload(), bytes}};
  }

  Outcome commit() {
    if (receivers_gone()) {
      take_back();
      return Outcome::closed;
    }
    this->ring_.publish(*std::exchange(this->claim_, std::nullopt));
    this->message_.notify(this->ring_.header().message);
    return Outcome::done;
  }

 private:
  void take_back() {
    if (this->claim_) this->skip(*std::exchange(this->claim_, std::nullopt));
  }
  [[nodiscard]] bool receivers_gone() const { return this->ring_.header().receivers_gone.raised(); }
};

template <WaitStrategy W>
class MpmcReceiver : public MpmcEnd<W> {
  using End = MpmcEnd<W>;
  using Phase = typename End::Phase;

 public:
  explicit MpmcReceiver(End end) : End(std::move(end)) {}
  explicit MpmcReceiver(Parcel& parcel) : End(parcel) {}

  MpmcReceiver(MpmcReceiver&&) noexcept = default;
  MpmcReceiver& operator=(MpmcReceiver&& other) noexcept {
    return replace(*this, std::move(other));
  }
  ~MpmcReceiver() {
    if (!this->lifeline_.attached() || !this->lifeline_.leave()) return;
    auto& header = this->ring_.header();
    header.receivers_gone.raise();  // partner: loan
    this->room_.notify(header.room);
  }

  [[nodiscard]] MpmcReceiver clone() const { return MpmcReceiver(End::clone()); }

  Received receive(Buffer buffer, Deadline deadline) {
    const Borrowed borrowed = borrow(deadline);
    if (borrowed.outcome != Outcome::done) return {borrowed.outcome};
    const std::size_t size = borrowed.message.size();
    check_buffer_size(size, buffer.size());
    std::memcpy(buffer.data(), borrowed.message.data(), size);
    release();
    return {Outcome::done, size};
  }

  Borrowed borrow(Deadline deadline) {
    if (const Outcome outcome = claim(deadline); outcome != Outcome::done) return {outcome, {}};
    auto& slot = this->ring_.slot(this->claim_->ticket());
    const std::size_t length = slot.length;  // copied once, then checked: it is the peer's too
    if (length == 0 || length > this->ring_.message_bytes()) {
      throw_damaged("a slot claims " + std::to_string(length) + " bytes, 1 to " +
                    std::to_string(this->ring_.message_bytes()) + " are possible");
    }
    return {Outcome::done, {slot.payload(), length}};
  }
  void release() {
    this->ring_.set_free(*std::exchange(this->claim_, std::nullopt));
    this->room_.notify(this->ring_.header().room);
  }

  // For poll(2), where the strategy has one.
  [[nodiscard]] int descriptor() requires requires(W wait, typename W::Place place) {
    wait.descriptor(place);
  }
  { return this->message_.descriptor(this->ring_.header().message); }

 private:
  // Until there is a claim: a message that is borrowed already is the next one again.
  Outcome claim(Deadline deadline) {
    auto& header = this->ring_.header();
    bool ended = false;
    for (std::uint64_t tries = 1; !this->claim_; ++tries) {
      // The flag first: what was sent before it was raised is then seen.
      ended = ended || header.senders_gone.raised();
      const auto in_the_way = this->try_claim(header.head, Phase::full, Phase::reading, deadline);
      if (!in_the_way) break;
      if (ended && in_the_way->phase() != Phase::writing) return Outcome::closed;
      const auto senders_gone = [&] { return !ended && header.senders_gone.raised(); };
      const Outcome outcome =
          this->await_change(this->message_, header.message, *in_the_way, senders_gone, deadline);
      ended = ended || outcome == Outcome::closed;
      const bool gives_up = !ended && this->ring_.gives_up(tries, deadline);
      if (outcome == Outcome::timed_out || gives_up) return Outcome::timed_out;
    }
    return Outcome::done;
  }
};

template <WaitStrategy W>
class MpmcRing {
  static constexpr std::string_view head = "mpmc_ring<";
  static constexpr std::string_view tail = ">";

 public:
  using Wait = W;
  static constexpr std::string_view name = JoinedName<head, W::name, tail>::value;
  static constexpr Traits traits{
      .message_bytes_max = std::size_t{1} << 30,
      .senders = Arity::many,
      .receivers = Arity::many,
      .death_notice = "a look every 20 ms",
      .spins = W::spins,
      .wait = W::name,
  };

  using Sender = MpmcSender<W>;
  using Receiver = MpmcReceiver<W>;

  static std::pair<Sender, Receiver> open(const Options& options = {}) {
    check_options(name, traits, options);
    const SlotRing<typename W::Place> ring(options);
    auto lifelines = Lifeline::open();
    W message = W::open();
    W room = W::open();
    MpmcEnd<W> sender(ring, std::move(lifelines.first), message.clone(), room.clone());
    MpmcEnd<W> receiver(ring, std::move(lifelines.second), std::move(message), std::move(room));
    return {Sender(std::move(sender)), Receiver(std::move(receiver))};
  }
};

static_assert(LoanChannel<MpmcRing<Futex>> && PollableChannel<MpmcRing<EventFd>>);
static_assert(Channel<MpmcRing<Futex>>);

}  // namespace ipc
