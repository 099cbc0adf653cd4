// What some channels can do beyond the contract, a concept each. Everything else about them stays
// as ipc/channel.hpp says. What is built on top of any channel is in ipc/adapters/.
#pragma once

#include <concepts>
#include <cstddef>

#include "ipc/channel.hpp"

namespace ipc {

// With Deadline::now() an end never waits, not even for a peer that was stopped or killed in the
// middle of its work.
template <class C>
concept TryChannel = Channel<C> && C::traits.tries_without_waiting;

// The receiver has a descriptor for poll(2), select(2) or epoll(7). After a receive that has
// `timed_out` it polls as POLLIN no later than a message or the end is there; until then it may be
// ready while receive has messages in hand, or not ready though it has: receive first, then poll.
// It may poll as ready for nothing. Belongs to the end and is never read by anybody else.
template <class R>
concept PollableReceiver = ReceiverEnd<R> && requires(R receiver) {
  { receiver.descriptor() } -> std::same_as<int>;
};
template <class C>
concept PollableChannel = Channel<C> && PollableReceiver<typename C::Receiver>;

// Room for a message inside the channel, when `outcome` is done.
struct Loan {
  Outcome outcome;
  Buffer room;
};

// A message inside the channel, when `outcome` is done.
struct Borrowed {
  Outcome outcome;
  Bytes message;
};

// No copy on either side. The sender writes the message where it will be read:
// - loan() waits for room as send() does, and throws what send() throws for such a size. The room
//   has exactly `bytes`; its content is arbitrary.
// - commit() sends it, without waiting. Requires a loan that is done. Outcome done or closed.
// - A loan that was not committed is taken back by the next loan() or send(), or when the end goes:
//   nothing was sent.
template <class S>
concept LoanSender = SenderEnd<S> && requires(S sender, std::size_t bytes, Deadline deadline) {
  { sender.loan(bytes, deadline) } -> std::same_as<Loan>;
  { sender.commit() } -> std::same_as<Outcome>;
};
// - borrow() waits for a message as receive() does, and shows it where it lies until release(). The
//   bytes belong to a peer that may be hostile: look at each of them once.
// - release() gives the room back. Requires a borrowed message. Until then borrow() shows the same
//   message again, and receive() delivers it.
template <class R>
concept LoanReceiver = ReceiverEnd<R> && requires(R receiver, Deadline deadline) {
  { receiver.borrow(deadline) } -> std::same_as<Borrowed>;
  { receiver.release() } -> std::same_as<void>;
};
template <class C>
concept LoanChannel =
    Channel<C> && LoanSender<typename C::Sender> && LoanReceiver<typename C::Receiver>;

}  // namespace ipc
