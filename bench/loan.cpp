// What does it bring to write a message where it will be read? A stream in which every byte is
// written by its sender and read by its receiver: in the channel, or in buffers of their own that
// are copied in and out. Both are taken in one row, in turn.
//
//      peer  -- writes --> [ room in the channel ] -- reads -->  main
#include <algorithm>
#include <cstring>
#include <optional>
#include <stdexcept>
#include <vector>

#include "bench/axes.hpp"
#include "bench/main.hpp"
#include "bench/peer.hpp"
#include "ipc/any_channel.hpp"
#include "ipc/channels.hpp"

namespace bench {
namespace {

constexpr Batching batching{.alone_ns = 20'000, .sample_ns = 20'000};

// Every byte of a message follows from its number, and takes part in its sum.
void write(ipc::Buffer message, std::uint64_t number) {
  std::memset(message.data(), static_cast<int>(number & 0x7f), message.size());
  std::memcpy(message.data(), &number, sizeof number);
}

std::uint64_t sum(ipc::Bytes message) {
  std::uint64_t total = 0;
  for (std::size_t at = 0; at < message.size(); at += sizeof total) {
    std::uint64_t word = 0;
    std::memcpy(&word, message.data() + at, sizeof word);
    total += word;
  }
  return total;
}

std::uint64_t expected_sum(std::size_t bytes, std::uint64_t number) {
  const std::uint64_t word = (number & 0x7f) * 0x0101010101010101U;
  return number + (bytes / sizeof word - 1) * word;
}

void read(ipc::Bytes message, std::size_t bytes, std::uint64_t number) {
  if (message.size() != bytes || sum(message) != expected_sum(bytes, number)) {
    throw WrongMessage("message " + std::to_string(number) +
                       " was lost, doubled, reordered, or altered on the way");
  }
}

// The loops of the two sides, compiled for each mechanism and way.
struct Loops {
  std::uint64_t (*send)(ipc::AnySender&, std::size_t bytes);
  void (*receive)(ipc::AnyReceiver&, std::vector<std::byte>& room, std::uint64_t& number,
                  std::int64_t messages);
};

template <ipc::Channel C>
std::uint64_t send_copies(ipc::AnySender& any, std::size_t bytes) {
  auto& sender = any.as<typename C::Sender>();
  std::vector<std::byte> room(bytes);
  for (std::uint64_t number = 1;; ++number) {
    write(room, number);
    if (sender.send(room, ipc::Deadline::never()) != ipc::Outcome::done) return number;
  }
}

template <ipc::Channel C>
void receive_copies(ipc::AnyReceiver& any, std::vector<std::byte>& room, std::uint64_t& number,
                    std::int64_t messages) {
  auto& receiver = any.as<typename C::Receiver>();
  for (std::int64_t i = 0; i < messages; ++i) {
    const ipc::Received got = receiver.receive(room, ipc::Deadline::never());
    if (got.outcome != ipc::Outcome::done) throw std::runtime_error("the channel closed");
    read(ipc::Bytes(room).first(got.size), room.size(), ++number);
  }
}

template <ipc::LoanChannel C>
std::uint64_t send_loans(ipc::AnySender& any, std::size_t bytes) {
  auto& sender = any.as<typename C::Sender>();
  for (std::uint64_t number = 1;; ++number) {
    const ipc::Loan loan = sender.loan(bytes, ipc::Deadline::never());
    if (loan.outcome != ipc::Outcome::done) return number;
    write(loan.room, number);
    if (sender.commit() != ipc::Outcome::done) return number;
  }
}

template <ipc::LoanChannel C>
void receive_loans(ipc::AnyReceiver& any, std::vector<std::byte>& room, std::uint64_t& number,
                   std::int64_t messages) {
  auto& receiver = any.as<typename C::Receiver>();
  for (std::int64_t i = 0; i < messages; ++i) {
    const ipc::Borrowed got = receiver.borrow(ipc::Deadline::never());
    if (got.outcome != ipc::Outcome::done) throw std::runtime_error("the channel closed");
    read(got.message, room.size(), ++number);
    receiver.release();
  }
}

Measured stream(const Suite& suite, const ipc::AnyChannel& channel, const Loops& loops,
                const Point& point) {
  // Room for several: with one message at a time the sender could not write while the other reads.
  ipc::Options options{.message_bytes = point.bytes};
  options.capacity.bytes = std::max(options.capacity.bytes, 8 * point.bytes);
  auto ends = channel.open(options);
  std::optional mine(std::move(ends.second));
  std::optional theirs(std::move(ends.first));
  const Pinned pinned(suite.placement(), point.cpus);
  Peer peer = start_peer(point.peer, suite.placement(), point.cpus, mine, theirs,
                         [&](ipc::AnySender& sender) { return loops.send(sender, point.bytes); });
  std::vector<std::byte> room(point.bytes);
  std::uint64_t number = 0;
  Measured measured = measure_against(peer, [&] {
    return measure_batches(suite.settings(), batching, [&](std::int64_t messages) {
      loops.receive(*mine, room, number, messages);
    });
  });
  measured.counters["messages_per_second"] =
      static_cast<double>(measured.operations) / measured.seconds;
  add_usage(measured.counters, measured.usage, 1);
  return measured;
}

// `times_copy`: how many times the messages of the copying stream beside it.
Measured beside_copies(const Suite& suite, const ipc::AnyChannel& channel, const Loops& copies,
                       const Loops& loans, const Point& point) {
  const Measured copied = stream(suite, channel, copies, point);
  Measured measured = stream(suite, channel, loans, point);
  const double copies_per_second = copied.counters.at("messages_per_second");
  measured.counters["copies_per_second"] = copies_per_second;
  measured.counters["times_copy"] = measured.counters.at("messages_per_second") / copies_per_second;
  return measured;
}

void add_rows(Suite& suite) {
  const Cpus cpus = worker_cpus(suite.placement().two_cpus());
  ipc::AllChannels::for_each([&]<class C>() {
    if constexpr (ipc::LoanChannel<C>) {
      for (const PeerKind peer : peer_kinds) {
        for (const std::size_t bytes : loan_bytes) {
          const Point point{.peer = peer, .cpus = cpus, .bytes = bytes};
          if (!takes_part(suite.settings().size, point) || why_absent(C::traits, peer, bytes))
            continue;
          suite.add(RowName("loan")
                        .with("channel", C::name)
                        .with("peer", to_text(peer))
                        .with("cpus", to_text(cpus))
                        .with("bytes", bytes),
                    [&suite, point] {
                      return beside_copies(suite, ipc::any_channel<C>(),
                                           {send_copies<C>, receive_copies<C>},
                                           {send_loans<C>, receive_loans<C>}, point);
                    });
        }
      }
    }
  });
}

}  // namespace
}  // namespace bench

int main(int argc, char** argv) {
  return bench::run(argc, argv, bench::add_rows);
}
