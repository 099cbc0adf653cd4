// What does it cost to share data? N workers add to one counter, or to random cells of one table:
// under a lock, by messages to the one who owns it, or with an atomic, which is the limit.
//
//   under a lock    worker, worker, ...  -- lock, add, unlock -->  data
//   to an owner     worker, worker, ...  == update ==>  main  -- add -->  data
//
// Worker i runs on CPU i, beginning again when there are no more; the owner is like one more
// worker. In rounds: all start together, and the clock runs until every update is applied.
// Afterwards the data must add up.
#include <sched.h>

#include <array>
#include <atomic>
#include <functional>
#include <memory>
#include <mutex>
#include <numeric>
#include <optional>
#include <vector>

#include "bench/axes.hpp"
#include "bench/main.hpp"
#include "bench/peer.hpp"
#include "bench/rounds.hpp"
#include "ipc/all_channels.hpp"
#include "ipc/locks.hpp"
#include "ipc/mapping.hpp"

namespace bench {
namespace {

constexpr std::size_t table_cells = (std::size_t{1} << 20) / sizeof(std::uint64_t);

struct Data {
  SharedData kind;
  std::size_t cells;  // a power of two
};
constexpr std::array<Data, 2> all_data{Data{.kind = SharedData::counter, .cells = 1},
                                       Data{.kind = SharedData::table, .cells = table_cells}};

// The cells that a worker adds to, one after the other: xorshift, a nanosecond each.
class Cells {
 public:
  Cells(std::size_t worker, std::size_t cells) : state_(worker + 1), mask_(cells - 1) {}
  std::size_t next() {
    state_ ^= state_ << 13;
    state_ ^= state_ >> 7;
    state_ ^= state_ << 17;
    return state_ & mask_;
  }

 private:
  std::uint64_t state_;
  std::size_t mask_;
};

void check_sum(std::span<const std::uint64_t> cells, std::uint64_t updates) {
  const std::uint64_t sum = std::accumulate(cells.begin(), cells.end(), std::uint64_t{0});
  if (sum == updates) return;
  throw std::runtime_error("the data adds up to " + std::to_string(sum) + " after " +
                           std::to_string(updates) + " updates");
}

// ---- under a lock ----

template <ipc::Lock L>
struct Locked {
  L mutex;
  void add(std::uint64_t& cell) {
    const std::lock_guard lock(mutex);
    ++cell;
  }
};

struct Atomic {
  void add(std::uint64_t& cell) {
    std::atomic_ref(cell).fetch_add(1, std::memory_order_relaxed);  // nobody reads before the end
  }
};

// What the workers share, be they threads or processes.
template <class Guard>
struct Board {
  Rounds rounds;
  alignas(64) Guard guard;
  alignas(64) std::array<std::uint64_t, table_cells> cells{};
};

template <class Guard>
Measured guarded(const Suite& suite, PeerKind kind, const Data& data, std::size_t workers) {
  const auto mapping = ipc::Mapping::create(sizeof(Board<Guard>));
  Board<Guard>& board = *new (mapping.data()) Board<Guard>;
  const auto destroy = [](Board<Guard>* used) { std::destroy_at(used); };
  const std::unique_ptr<Board<Guard>, decltype(destroy)> owner(&board, destroy);
  std::vector<Peer> peers;
  for (std::size_t worker = 0; worker < workers; ++worker) {
    peers.emplace_back(
        kind, suite.placement(), Cpus::any,
        [&suite, &board, &data, worker] {
          suite.placement().pin_worker(worker);
          Cells cells(worker, data.cells);
          return board.rounds.work([&] { board.guard.add(board.cells[cells.next()]); });
        },
        [&board] { board.rounds.close(); });
  }
  Measured measured = measure_updates(suite.settings(), board.rounds, peers, [] {});
  check_sum(board.cells, board.rounds.updates());
  return measured;
}

// ---- to an owner ----

struct Update {
  std::uint64_t sequence;  // of this worker's updates
  std::uint32_t worker;
  std::uint32_t cell;
};

// One channel for all where it has many senders, one for each worker where not.
struct Ends {
  std::vector<ipc::AnySender> senders;  // one a worker
  std::vector<ipc::AnyReceiver> receivers;

  Ends(const ipc::AnyChannel& channel, std::size_t workers) {
    const ipc::Options options{.message_bytes = sizeof(Update)};
    do {
      auto [sender, receiver] = channel.open(options);
      senders.push_back(std::move(sender));
      receivers.push_back(std::move(receiver));
    } while (channel.traits.senders == ipc::Arity::one && senders.size() < workers);
    while (senders.size() < workers) senders.push_back(senders.front().clone());
  }
};

std::uint64_t send_updates(Rounds& rounds, ipc::AnySender sender, std::size_t worker,
                           std::size_t cell_count) {
  Cells cells(worker, cell_count);
  Update update{.sequence = 0, .worker = static_cast<std::uint32_t>(worker), .cell = 0};
  return rounds.work([&] {
    ++update.sequence;
    update.cell = static_cast<std::uint32_t>(cells.next());
    const auto message = std::as_bytes(std::span(&update, 1));
    if (sender.send(message, ipc::Deadline::never()) != ipc::Outcome::done) {
      throw std::runtime_error("the channel closed while an update was sent");
    }
  });
}

// Owns the data: nobody else sees it, so there is nothing to lock.
class Owner {
 public:
  Owner(std::vector<ipc::AnyReceiver>& receivers, std::size_t workers)
      : receivers_(receivers), last_(workers), cells_(table_cells) {}

  // Applies so many updates. From several channels it takes in turn what is there.
  void apply(std::uint64_t count) {
    const ipc::Deadline deadline =
        receivers_.size() == 1 ? ipc::Deadline::never() : ipc::Deadline::now();
    while (count > 0) {
      std::uint64_t applied = 0;
      for (auto& receiver : receivers_) {
        while (applied < count && take(receiver, deadline)) ++applied;
      }
      if (applied == 0) ::sched_yield();  // the senders may need this CPU
      count -= applied;
    }
  }

  [[nodiscard]] std::span<const std::uint64_t> cells() const { return cells_; }

 private:
  bool take(ipc::AnyReceiver& receiver, ipc::Deadline deadline) {
    Update update{};
    const auto room = std::as_writable_bytes(std::span(&update, 1));
    const ipc::Received got = receiver.receive(room, deadline);
    if (got.outcome == ipc::Outcome::timed_out) return false;
    if (got.outcome == ipc::Outcome::closed) {
      throw std::runtime_error("the channel closed before all updates came");
    }
    if (got.size != sizeof update || update.worker >= last_.size() ||
        update.sequence != last_[update.worker] + 1 || update.cell >= cells_.size()) {
      throw WrongMessage("an update was lost, doubled, reordered, or altered on the way");
    }
    last_[update.worker] = update.sequence;
    ++cells_[update.cell];
    return true;
  }

  std::vector<ipc::AnyReceiver>& receivers_;
  std::vector<std::uint64_t> last_;  // sequence number seen, by worker
  std::vector<std::uint64_t> cells_;
};

Measured owned(const ipc::AnyChannel& channel, const Suite& suite, PeerKind kind, const Data& data,
               std::size_t workers) {
  const auto mapping = ipc::Mapping::create(sizeof(Rounds));
  Rounds& rounds = *new (mapping.data()) Rounds;
  Ends ends(channel, workers);
  Owner owner(ends.receivers, workers);
  std::vector<Peer> peers;
  for (std::size_t worker = 0; worker < workers; ++worker) {
    peers.emplace_back(
        kind, suite.placement(), Cpus::any,
        [&, worker] {
          suite.placement().pin_worker(worker);
          ipc::AnySender sender = std::move(ends.senders[worker]);
          if (kind == PeerKind::process) {  // all other ends are copies that nobody here uses
            ends.senders.clear();
            ends.receivers.clear();
          }
          return send_updates(rounds, std::move(sender), worker, data.cells);
        },
        [&] {
          rounds.close();
          ends.receivers.clear();
        });
  }
  if (kind == PeerKind::process) ends.senders.clear();
  const Pinned pinned(suite.placement(), workers);
  Measured measured = measure_updates(suite.settings(), rounds, peers,
                                      [&] { owner.apply(rounds.updates_of_a_round()); });
  check_sum(owner.cells(), rounds.updates());
  return measured;
}

// ---- rows ----

using Take = std::function<Measured(const Suite&, PeerKind, const Data&, std::size_t workers)>;

void add_guard(Suite& suite, const Data& data, std::string_view guard, PeerKind peer,
               const Take& take, const ipc::LockTraits* lock = nullptr) {
  for (const std::size_t workers : worker_counts) {
    if (!takes_part(suite.settings().size, workers)) continue;
    if (lock && why_absent(*lock, workers, suite.placement().cpus())) continue;
    suite.add(RowName("shared_data")
                  .with("data", to_text(data.kind))
                  .with("guard", guard)
                  .with("peer", to_text(peer))
                  .with("cpus", to_text(worker_cpus(suite.placement().two_cpus())))
                  .with("workers", workers),
              [&suite, &data, peer, workers, take] { return take(suite, peer, data, workers); });
  }
}

void add_rows(Suite& suite) {
  for (const Data& data : all_data) {
    if (!takes_part(suite.settings().size, data.kind)) continue;
    add_guard(suite, data, "atomic", PeerKind::process, guarded<Atomic>);
    add_guard(suite, data, "atomic", PeerKind::thread, guarded<Atomic>);
    ipc::AllLocks::for_each([&]<class L>() {
      for (const PeerKind peer : peer_kinds) {
        if (why_absent(L::traits, peer)) continue;
        add_guard(suite, data, L::name, peer, guarded<Locked<L>>, &L::traits);
      }
    });
    for (const ipc::AnyChannel& channel : ipc::all_channels()) {
      for (const PeerKind peer : peer_kinds) {
        if (why_absent(channel.traits, peer, sizeof(Update))) continue;
        add_guard(suite, data, "owner_" + std::string(channel.name), peer,
                  std::bind_front(owned, channel));
      }
    }
  }
}

}  // namespace
}  // namespace bench

int main(int argc, char** argv) {
  return bench::run(argc, argv, bench::add_rows);
}
