// What does an end that waits learn of its peer's death, and how soon?
//
//   sender (a process) ==channel==> receiver (a process)
//
// Both are at work when one of them is killed, at a random moment. The label says what became of
// the other: told, an exception (the channel is lost), crashed, or not told for as long as
// patience_ns.
#include <atomic>
#include <chrono>
#include <new>
#include <optional>
#include <random>
#include <string>
#include <string_view>
#include <thread>
#include <utility>
#include <vector>

#include "bench/main.hpp"
#include "bench/payload.hpp"
#include "ipc/adapted_channels.hpp"
#include "ipc/all_channels.hpp"
#include "ipc/mapping.hpp"
#include "ipc/process.hpp"

namespace bench {
namespace {

using ipc::Deadline;
using ipc::Outcome;

enum class Side { sender, receiver };
enum class Waits { for_ever, with_a_deadline };

std::string_view to_text(Side side) {
  return side == Side::sender ? "sender" : "receiver";
}
std::string_view to_text(Waits waits) {
  return waits == Waits::for_ever ? "waits" : "deadline";
}

constexpr std::size_t message_bytes = 64;
constexpr std::chrono::milliseconds survivor_deadline{30};

// After this a survivor that does not know is given up: long against what any of them takes.
std::chrono::milliseconds patience(Size size) {
  return std::chrono::milliseconds(size == Size::full ? 2000 : 150);
}

// How a survivor ends; shared with it.
struct Ending {
  enum class How { still_waits, told, exception, wrong_message, crashed };
  std::atomic<How> how{How::still_waits};
  std::atomic<Clock::rep> at{0};
};

Deadline deadline_of(Waits waits) {
  return waits == Waits::for_ever ? Deadline::never() : Deadline::in(survivor_deadline);
}

void send_until_told(ipc::AnySender& sender, Waits waits) {
  Payload payload(message_bytes, Check::everything);
  std::uint64_t next = 0;
  for (;;) {
    const Outcome outcome = sender.send(payload.message(next), deadline_of(waits));
    if (outcome == Outcome::closed) return;
    if (outcome == Outcome::done) ++next;
  }
}

void receive_until_told(ipc::AnyReceiver& receiver, Waits waits) {
  const Payload payload(message_bytes, Check::everything);
  std::vector<std::byte> room(message_bytes);
  std::uint64_t next = 0;
  for (;;) {
    const ipc::Received got = receiver.receive(room, deadline_of(waits));
    if (got.outcome == Outcome::closed) return;
    if (got.outcome == Outcome::done) payload.verify(ipc::Bytes(room).first(got.size), next++);
  }
}

using Ends = std::pair<ipc::AnySender, ipc::AnyReceiver>;

ipc::Process start(std::optional<Ends>& ends, Side side, Waits waits, Ending& ending) {
  return ipc::Process([&ends, &ending, side, waits] {
    auto [sender, receiver] = std::move(*ends);
    auto how = Ending::How::told;
    try {
      if (side == Side::sender) {
        { const auto not_ours = std::move(receiver); }
        send_until_told(sender, waits);
      } else {
        { const auto not_ours = std::move(sender); }
        receive_until_told(receiver, waits);
      }
    } catch (const WrongMessage&) {
      how = Ending::How::wrong_message;
    } catch (const std::exception&) {
      how = Ending::How::exception;
    }
    ending.at.store(Clock::now().time_since_epoch().count(), std::memory_order_relaxed);
    ending.how.store(how, std::memory_order_release);  // partner: kill_one
    return 0;
  });
}

struct Case {
  ipc::AnyChannel channel;
  Side killed;
  Waits waits;
};

struct Known {
  Ending::How how;
  double after_ns;
};

// Kills one of two at work and says what became of the other.
Known kill_one(const Case& each, std::chrono::microseconds moment,
               std::chrono::milliseconds patience) {
  const auto memory = ipc::Mapping::create(2 * sizeof(Ending));
  Ending& of_victim = *new (memory.data()) Ending;
  Ending& ending = *new (memory.data() + sizeof(Ending)) Ending;
  std::optional<Ends> ends(each.channel.open({.message_bytes = message_bytes}));
  const Side other = each.killed == Side::sender ? Side::receiver : Side::sender;
  ipc::Process victim = start(ends, each.killed, each.waits, of_victim);
  ipc::Process survivor = start(ends, other, each.waits, ending);
  ends.reset();
  std::this_thread::sleep_for(moment);
  const auto killed_at = Clock::now();
  victim.kill(SIGKILL);
  victim.join();
  const bool ended = survivor.join(Deadline::in(patience)).has_value();
  auto how = ending.how.load(std::memory_order_acquire);  // partner: start
  if (ended && how == Ending::How::still_waits)
    how = Ending::How::crashed;  // an assertion of Boost
  if (how == Ending::How::wrong_message) throw WrongMessage("the survivor got a torn message");
  const Clock::time_point known_at{Clock::duration(ending.at.load(std::memory_order_relaxed))};
  return {.how = how, .after_ns = ns_between(killed_at, known_at)};
}

// Again and again for the row's time; a survivor that has to be given up is one too many already.
Measured peer_death(const Suite& suite, const Case& each) {
  const auto give_up = patience(suite.settings().size);
  const auto enough = Deadline::in(
      std::chrono::nanoseconds(static_cast<std::int64_t>(suite.settings().seconds_per_row * 1e9)));
  std::mt19937 random(20250105);
  Measured measured;
  std::string_view label = "told";
  double total_ns = 0;
  do {
    const Known known = kill_one(each, std::chrono::microseconds(random() % 1000), give_up);
    ++measured.operations;
    if (known.how == Ending::How::still_waits || known.how == Ending::How::crashed) {
      label = known.how == Ending::How::crashed ? "crashed" : "not told";
      total_ns += static_cast<double>(std::chrono::nanoseconds(give_up).count());
      break;
    }
    if (known.how == Ending::How::exception) label = "exception";
    measured.samples.add(known.after_ns);
    total_ns += known.after_ns;
  } while (!enough.expired());
  measured.seconds = total_ns / 1e9;
  measured.label = label;
  measured.counters = {
      {"rounds", static_cast<double>(measured.operations)},
      {"patience_ns", static_cast<double>(std::chrono::nanoseconds(give_up).count())}};
  if (measured.samples.size() > 0) {
    measured.counters["known_ns_p50"] = measured.samples.percentile(0.5);
    measured.counters["known_ns_max"] = measured.samples.percentile(1);
  }
  return measured;
}

void add_rows(Suite& suite) {
  for (std::size_t i = 0; i < ipc::all_channels().size(); ++i) {
    const ipc::AnyChannel& bare = ipc::all_channels()[i];
    if (!bare.traits.crosses_processes) continue;
    for (const bool watched : {false, true}) {
      for (const Side killed : {Side::sender, Side::receiver}) {
        for (const Waits waits : {Waits::for_ever, Waits::with_a_deadline}) {
          const Case each{watched ? ipc::watched_channels()[i] : bare, killed, waits};
          suite.add(RowName("peer_death")
                        .with("channel", bare.name)
                        .with("watched", watched ? "yes" : "no")
                        .with("killed", to_text(killed))
                        .with("survivor", to_text(waits)),
                    [&suite, each] { return peer_death(suite, each); });
        }
      }
    }
  }
}

}  // namespace
}  // namespace bench

int main(int argc, char** argv) {
  return bench::run(argc, argv, bench::add_rows);
}
