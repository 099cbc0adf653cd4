// Slots in shared memory, written and read in turn by whoever claims them: the lock-free part of
// mpmc_ring, after Dmitry Vyukov's bounded MPMC queue
// (https://www.1024cores.net/home/lock-free-algorithms/queues/bounded-mpmc-queue).
//
//   slot:  [turn: 8 bytes | length: 4 | payload up to message_bytes], in whole cache lines
//   turn:  free(t) -> writing(t) -> full(t) -> reading(t) -> free(t + slots)
//
// There the counters give out the tickets, and who is killed with a ticket in hand stops everybody.
// Here a slot is claimed in its own word, together with the number of its claimant; the counters
// only say where to look, and whoever finds one behind moves it on. So a claim whose claimant is
// gone can be seen, and ended by anybody.
#pragma once

#include <algorithm>
#include <atomic>
#include <bit>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <new>
#include <string>
#include <string_view>

#include "ipc/channel.hpp"
#include "ipc/claimant.hpp"
#include "ipc/flag.hpp"
#include "ipc/layout.hpp"
#include "ipc/mapping.hpp"
#include "ipc/parcel.hpp"

namespace ipc {

// Where a slot stands in its life. The numbers grow with it, so that two can be compared.
class Turn {
 public:
  enum class Phase : std::uint8_t { free, writing, full, reading };

  Turn() = default;
  Turn(std::uint64_t ticket, Phase phase, Claimant::Number claimant = 0)
      : bits_((ticket << 2 | static_cast<std::uint64_t>(phase)) << claimant_bits | claimant) {}

  // Of 46 bits: it comes round after some 7 * 10^13 messages.
  [[nodiscard]] std::uint64_t ticket() const { return bits_ >> (claimant_bits + 2); }
  [[nodiscard]] Claimant::Number claimant() const { return static_cast<Claimant::Number>(bits_); }
  [[nodiscard]] Phase phase() const { return static_cast<Phase>(bits_ >> claimant_bits & 3); }
  [[nodiscard]] bool claimed() const {
    return phase() == Phase::writing || phase() == Phase::reading;
  }
  [[nodiscard]] bool before(const Turn& other) const {
    return static_cast<std::int64_t>((bits_ >> claimant_bits << claimant_bits) -
                                     (other.bits_ >> claimant_bits << claimant_bits)) < 0;
  }
  // How many tickets it is past another one; negative when it is before.
  [[nodiscard]] std::int64_t tickets_past(std::uint64_t other) const {
    constexpr unsigned rest = claimant_bits + 2;
    return static_cast<std::int64_t>((ticket() - other) << rest) >> rest;
  }
  friend bool operator==(const Turn&, const Turn&) = default;

 private:
  static constexpr unsigned claimant_bits = 16;
  std::uint64_t bits_;
};

struct Slot {
  std::atomic<Turn> turn;
  std::uint32_t length;  // this and the payload belong to who has claimed the slot

  [[nodiscard]] std::byte* payload() { return reinterpret_cast<std::byte*>(this + 1); }
};
static_assert(std::atomic<Turn>::is_always_lock_free && sizeof(Slot) == 16);

// The slots, and what their users share beside them: two places to wait, two flags.
template <class Place>
class SlotRing {
 public:
  using Phase = Turn::Phase;
  static constexpr std::size_t line = 64;

  struct Header {
    static constexpr std::string_view kind = "slot_ring";

    Header(std::uint64_t slots_count, std::uint64_t message_size)
        : slots(slots_count), message_bytes(message_size) {}

    Layout layout{kind};
    std::uint64_t slots;
    std::uint64_t message_bytes;
    alignas(line) std::atomic<std::uint64_t> tail{0};  // the next ticket to write, or one behind
    alignas(line) std::atomic<std::uint64_t> head{0};  // the same to read
    alignas(line) Place message{};
    alignas(line) Place room{};
    alignas(line) Flag senders_gone;
    Flag receivers_gone;
  };

  // As many slots as messages are asked for, but no more than the bytes; at least one.
  explicit SlotRing(const Options& options) {
    const std::size_t slot_bytes = slot_bytes_for(options.message_bytes);
    const std::size_t fit = std::max<std::size_t>(1, options.capacity.bytes / slot_bytes);
    const std::size_t slots = std::bit_ceil(std::min(options.capacity.messages, fit));
    mapping_ =
        std::make_shared<const Mapping>(Mapping::create(sizeof(Header) + slots * slot_bytes));
    new (mapping_->data()) Header(slots, options.message_bytes);
    read_header();
    for (std::uint64_t ticket = 0; ticket < slots; ++ticket) {
      slot(ticket).turn.store(Turn(ticket, Phase::free), std::memory_order_relaxed);
    }
  }
  explicit SlotRing(Parcel& parcel)
      : mapping_(std::make_shared<const Mapping>(Mapping::attach(parcel.take_fd()))) {
    read_header();
  }
  void pack(Parcel& parcel) && { parcel.put(mapping_->fd().duplicate()); }

  [[nodiscard]] Header& header() const { return *header_; }
  [[nodiscard]] std::uint64_t slots() const { return slots_; }
  [[nodiscard]] std::size_t slot_bytes() const { return slot_bytes_; }
  [[nodiscard]] std::size_t message_bytes() const { return message_bytes_; }
  [[nodiscard]] Slot& slot(std::uint64_t ticket) const {
    return *reinterpret_cast<Slot*>(slots_begin_ + (ticket & (slots_ - 1)) * slot_bytes_);
  }

  // Takes a number, and back what its last holder has left claimed.
  [[nodiscard]] Claimant new_claimant() const {
    Claimant claimant = Claimant::take(mapping_->fd());
    for (std::uint64_t index = 0; index < slots_; ++index) {
      const Turn turn = slot(index).turn.load(std::memory_order_relaxed);
      if (turn.claimed() && turn.claimant() == claimant.number()) set_free(turn);
    }
    return claimant;
  }

  struct Attempt {
    bool claimed;
    Turn turn;  // the claim, or what is in the way of it
  };

  // Takes the slot that `next` points at from one phase to the one after, if it has come so far.
  // Throws std::runtime_error over a turn that the slot cannot have.
  Attempt try_claim(std::atomic<std::uint64_t>& next, Phase from, Phase to,
                    Claimant::Number claimant, Deadline deadline) const {
    for (std::uint64_t tries = 1;; ++tries) {
      // Acquire both: the turn is no older than what was seen by who moved `next` (partner: below).
      std::uint64_t ticket = next.load(std::memory_order_acquire);
      const Turn wanted(ticket, from);
      const Turn claim(ticket, to, claimant);
      auto& turn = slot(ticket).turn;
      Turn seen = turn.load(std::memory_order_acquire);
      if (seen != wanted) check_turn(seen, ticket);
      if (seen.before(wanted)) return {.claimed = false, .turn = seen};
      // Acquire: what others did with the slot before is done (partners: publish, set_free).
      const bool claimed =
          seen == wanted && turn.compare_exchange_strong(seen, claim, std::memory_order_acquire,
                                                         std::memory_order_relaxed);
      // The slot is taken, by us or by somebody who may have got no further than that. Where claims
      // were ended without a message it may be many rounds ahead; a message that waits is never
      // more than two rounds behind.
      const auto step = std::max(std::int64_t{1}, seen.tickets_past(ticket + 2 * slots_));
      next.compare_exchange_strong(ticket, ticket + static_cast<std::uint64_t>(step),
                                   std::memory_order_release, std::memory_order_relaxed);
      if (claimed) return {.claimed = true, .turn = claim};
      if (gives_up(tries, deadline)) return {.claimed = false, .turn = seen};
    }
  }
  // Ends a loop that goes on for as long as others change something: who works, or who does damage.
  [[nodiscard]] bool gives_up(std::uint64_t tries, Deadline deadline) const {
    return tries > 4 * slots_ && deadline.expired();
  }

  // Release: who claims the slot next sees what was written (partner: try_claim).
  void publish(Turn claim) const {
    slot(claim.ticket()).turn.store(Turn(claim.ticket(), Phase::full), std::memory_order_release);
  }
  // Ends a claim, one's own or that of a claimant who is gone.
  // Release: our reads are done before the slot is written again (partner: try_claim).
  void set_free(Turn claim) const {
    slot(claim.ticket())
        .turn.compare_exchange_strong(claim, Turn(claim.ticket() + slots_, Phase::free),
                                      std::memory_order_release, std::memory_order_relaxed);
  }

 private:
  static std::size_t slot_bytes_for(std::size_t message_bytes) {
    return (sizeof(Slot) + message_bytes + line - 1) / line * line;
  }

  // Whoever looks for a ticket finds its slot no more than a round behind.
  void check_turn(Turn seen, std::uint64_t ticket) const {
    const std::int64_t past = seen.tickets_past(ticket);
    const auto round = static_cast<std::int64_t>(slots_);
    if (past % round == 0 && past >= -round) return;
    throw_damaged("one of its " + std::to_string(slots_) + " slots is at ticket " +
                  std::to_string(seen.ticket()) + " when ticket " + std::to_string(ticket) +
                  " is looked for");
  }

  // Copies the constants before it checks and uses them: the memory is the peer's too.
  void read_header() {
    header_ = &attach_header<Header>(mapping_->bytes());
    slots_ = header_->slots;
    message_bytes_ = header_->message_bytes;
    const std::size_t room = mapping_->size() - sizeof(Header);
    if (message_bytes_ > room || !std::has_single_bit(slots_) || slots_ > room / line ||
        slots_ * slot_bytes_for(message_bytes_) != room) {
      throw_damaged(std::to_string(slots_) + " slots for messages of " +
                    std::to_string(message_bytes_) + " bytes do not fit it");
    }
    slot_bytes_ = slot_bytes_for(message_bytes_);
    slots_begin_ = mapping_->data() + sizeof(Header);
  }

  std::shared_ptr<const Mapping> mapping_;  // all ends of a process use one
  Header* header_ = nullptr;
  std::byte* slots_begin_ = nullptr;
  std::uint64_t slots_ = 0;
  std::size_t slot_bytes_ = 0;
  std::size_t message_bytes_ = 0;
};

}  // namespace ipc
