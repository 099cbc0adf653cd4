// udp(7) over the loopback, made reliable: a channel loses nothing.
//
// The kernel drops a datagram when the receiver's buffer is full. So no more are under way than
// that buffer surely holds: a window, which the receiver's acknowledgements move on, one for each
// quarter of it. What is dropped nonetheless (a firewall rule, memory pressure) is noticed, since
// datagrams are numbered, and sent again together with what came after it. This costs a copy of
// each message on either side, a header, and the acknowledgements.
//
// Nobody works while no call is made: a loss is mended by the next send() that finds the window
// full, or when the sender goes, which waits up to `linger` for the receiver to confirm that it has
// all, and from anew whenever a loss has been mended. A receiver never goes on behind a loss: when
// nobody is left to mend it, it throws.
#pragma once

#include <algorithm>
#include <chrono>
#include <cstdint>
#include <functional>
#include <stdexcept>
#include <string>
#include <utility>
#include <vector>

#include "ipc/channel.hpp"
#include "ipc/held_message.hpp"
#include "ipc/lifeline.hpp"
#include "ipc/message_size.hpp"
#include "ipc/outbox.hpp"
#include "ipc/parcel.hpp"
#include "ipc/udp_link.hpp"

namespace ipc {

class Udp {
  using Kind = UdpLink::Kind;

  static constexpr std::chrono::milliseconds patience{20};  // until a sender asks what arrived
  static constexpr std::chrono::milliseconds linger{500};

 public:
  static constexpr std::string_view name = "udp";
  static constexpr Traits traits{.message_bytes_max = UdpLink::payload_bytes_max};

  // Failpoints: what a network, and a defect here, would do.
  struct Faults {
    std::function<bool(std::uint64_t)> loses;  // whether the sender's n-th datagram is lost
    bool sends_again = true;
  };

  class Sender {
   public:
    explicit Sender(Parcel& parcel)
        : link_(parcel), outbox_(parcel), window_(parcel.take<std::size_t>()), used_(true) {}
    void pack(Parcel& parcel) && {
      std::move(link_).pack(parcel);
      std::move(outbox_).pack(parcel);
      parcel.put(window_);
    }

    Sender(Sender&&) noexcept = default;
    Sender& operator=(Sender&& other) noexcept { return replace(*this, std::move(other)); }
    ~Sender() {
      if (!link_.lifeline().attached()) return;
      try {
        const bool heard = !used_ || flush();
        if (!link_.lifeline().leave()) return;
        push({});  // the end: a message of no bytes, with a place of its own
        if (heard) flush();
      } catch (const std::runtime_error&) {
        // Nothing can be sent any more, or what was sent is damaged. The receiver learns that we
        // are gone and what it lacks.
      }
    }

    [[nodiscard]] Capacity capacity() const {
      return {.bytes = window_ * outbox_.message_bytes(), .messages = window_};
    }

    Outcome send(Bytes message, Deadline deadline) {
      check_message_size(message.size(), outbox_.message_bytes());
      const auto room = [&] { return outbox_.under_way() < window_; };
      if (!room()) {
        const Outcome waited = await(room, deadline);
        if (waited != Outcome::done) return waited;
      }
      used_ = true;
      return push(message) ? Outcome::done : Outcome::closed;
    }

   private:
    friend Udp;
    Sender(UdpLink link, std::size_t window, std::size_t message_bytes, Faults faults)
        : link_(std::move(link)),
          outbox_(window + 1, message_bytes),
          window_(window),
          faults_(std::move(faults)) {}

    bool push(Bytes message) {
      if (!transmit(Kind::message, outbox_.sent(), message)) return false;
      outbox_.put(message);
      return true;
    }
    bool transmit(Kind kind, std::uint64_t number, Bytes payload = {}) {
      const bool lost = faults_.loses && faults_.loses(transmitted_++);
      return lost || link_.transmit(kind, number, payload);
    }

    // Waits for the receiver to confirm all; false when it does not.
    bool flush() {
      transmit(Kind::question, outbox_.sent());
      std::uint64_t mended = 0;
      Outcome waited = Outcome::done;
      do {
        mended = mended_;
        waited = await([&] { return outbox_.under_way() == 0 || mended_ > mended; },
                       Deadline::in(linger));
      } while (waited == Outcome::done && outbox_.under_way() > 0);
      return waited == Outcome::done;
    }

    // Waits until the receiver's answers make `ready` true.
    template <class Ready>
    Outcome await(Ready&& ready, Deadline deadline) {
      for (;;) {
        take_answers();
        if (ready()) return Outcome::done;
        if (link_.lifeline().peers_gone()) return Outcome::closed;
        if (deadline.expired()) return Outcome::timed_out;
        if (!link_.wait(earlier(deadline, Deadline::in(patience)))) {
          transmit(Kind::question, outbox_.sent());
        }
      }
    }
    void take_answers() {
      for (;;) {
        const UdpLink::Arrival answer = link_.receive({}, false);
        if (answer.outcome != Outcome::done) return;
        outbox_.acknowledge(answer.header.number);
        if (answer.header.kind != Kind::missing || !faults_.sends_again) continue;
        const std::uint64_t first = outbox_.acknowledged();
        mended_ = first;
        const std::uint64_t count = outbox_.under_way();
        for (auto number = first; number < first + count; ++number) {
          transmit(Kind::message, number, outbox_.message(number));
        }
      }
    }

    UdpLink link_;
    Outbox outbox_;
    std::size_t window_;        // messages under way at most
    bool used_ = false;         // by this copy
    std::uint64_t mended_ = 0;  // losses up to this message have been
    Faults faults_;
    std::uint64_t transmitted_ = 0;
  };

  class Receiver {
   public:
    explicit Receiver(Parcel& parcel)
        : link_(parcel),
          quarter_(parcel.take<std::uint64_t>()),
          next_(parcel.take<std::uint64_t>()),
          held_(parcel.take<std::size_t>()) {}
    void pack(Parcel& parcel) && {
      held_.require_empty();
      std::move(link_).pack(parcel);
      parcel.put(quarter_);
      parcel.put(next_);
      parcel.put(held_.message_bytes());
    }

    // Throws std::runtime_error, once, when messages were lost together with their sender.
    Received receive(Buffer buffer, Deadline deadline) {
      for (bool last = false; !held_.waits();) {
        if (ended_) return {Outcome::closed};
        const UdpLink::Arrival got = link_.receive(held_.room(), deadline.is_never() && !last);
        if (got.outcome == Outcome::done) {
          take_in(got);
        } else if (got.outcome == Outcome::timed_out && last) {
          return end_without_mark();
        } else if (got.outcome == Outcome::timed_out && !link_.wait(deadline)) {
          return {Outcome::timed_out};
        } else {
          // What the sender sent before it went is there by the time that we look again.
          last = link_.lifeline().peers_gone();
        }
      }
      return held_.deliver(buffer);
    }

   private:
    friend Udp;
    Receiver(UdpLink link, std::size_t window, std::size_t message_bytes)
        : link_(std::move(link)),
          quarter_(std::max<std::uint64_t>(window / 4, 1)),
          held_(message_bytes) {}

    void take_in(const UdpLink::Arrival& got) {
      const std::uint64_t number = got.header.number;
      if (got.header.kind == Kind::question) {
        announced_ = std::max(announced_, number);
        answer(next_ < number ? Kind::missing : Kind::acknowledged);
      } else if (number == next_) {
        ++next_;
        ended_ = got.bytes == 0;
        if (ended_ || next_ % quarter_ == 0) answer(Kind::acknowledged);
        held_.hold(got.bytes);
      } else if (number > next_) {
        announced_ = std::max(announced_, number + 1);
        if (std::exchange(missed_, next_ + 1) != next_ + 1) answer(Kind::missing);  // once a loss
      }
    }
    void answer(Kind kind) { link_.transmit(kind, next_); }

    Received end_without_mark() {
      ended_ = true;
      if (next_ < announced_) {
        throw std::runtime_error("udp: " + std::to_string(announced_ - next_) +
                                 " messages were lost together with their sender");
      }
      return {Outcome::closed};
    }

    UdpLink link_;
    std::uint64_t quarter_;  // of the window: messages between two acknowledgements
    std::uint64_t next_ = 0;
    std::uint64_t announced_ = 0;  // this many messages were sent, as far as we know
    std::uint64_t missed_ = 0;     // the loss that was told last, counted from 1
    bool ended_ = false;
    HeldMessage held_;
  };

  static std::pair<Sender, Receiver> open(const Options& options = {}) {
    return open(options, Faults());
  }
  static std::pair<Sender, Receiver> open(const Options& options, Faults faults) {
    check_options(name, traits, options);
    auto [sender, receiver] = UdpLink::open();
    std::vector<std::byte> longest(options.message_bytes);
    const std::size_t wanted = places_for(options);
    // One more for the end.
    const std::size_t room = sender.make_room(receiver, longest, wanted + 1);
    const std::size_t window = std::clamp(room - 1, std::size_t{1}, wanted);
    return {Sender(std::move(sender), window, options.message_bytes, std::move(faults)),
            Receiver(std::move(receiver), window, options.message_bytes)};
  }
};

static_assert(Channel<Udp>);

}  // namespace ipc
