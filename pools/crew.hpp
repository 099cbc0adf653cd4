// A process pool's workers: who comes, who has which task, who goes.
#pragma once

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <deque>
#include <exception>
#include <memory>
#include <string>
#include <vector>

#include "ipc/any_channel.hpp"
#include "ipc/mapping.hpp"
#include "pools/arena.hpp"
#include "pools/board.hpp"
#include "pools/options.hpp"
#include "pools/worker.hpp"
#include "pools/worker_link.hpp"
#include "pools/zygote_client.hpp"

namespace pools {

// What comes back from workers.
struct Returned {
  struct Lost {
    JobPtr job;
    std::exception_ptr error;
    bool may_be_retried;
  };
  std::vector<JobPtr> answered;
  std::vector<Lost> lost;
  std::vector<JobPtr> not_begun;  // tasks of the dead that nobody has run, in their order
  std::string broken;             // why no worker can be had any more

  [[nodiscard]] bool empty() const {
    return answered.empty() && lost.empty() && not_begun.empty() && broken.empty();
  }
  // Keeps the room.
  void clear() {
    answered.clear();
    lost.clear();
    not_begun.clear();
    broken.clear();
  }
};

// Belongs to one thread at a time. Nothing here blocks, except for finish().
class Crew {
 public:
  // Starts the first workers. Throws std::system_error or std::invalid_argument when the channels
  // cannot be had, and leaves nothing behind then.
  Crew(const ipc::AnyChannel& channel, const Options& options, std::size_t piece_bytes,
       const ipc::Mapping& board);

  // Where long calls are written, or none.
  [[nodiscard]] ArenaOwner* long_calls() const { return long_calls_.get(); }
  // How many there may be.
  [[nodiscard]] std::size_t size() const { return target_; }
  // More come when they are needed, or at once up to Options::workers_min; those that are too many
  // go when their tasks are done.
  void resize(std::size_t workers, Returned& returned);

  // Takes in what workers and the zygote have sent, sends what they could not take before, and
  // replaces the dead.
  void collect(Returned& returned);
  // Gives it to the worker that has the least to do. False when all have enough.
  bool offer(JobPtr& job, Returned& returned);
  // A task was done: workers live.
  void praise() { idle_deaths_ = start_failures_ = 0; }
  // Takes every task back from the workers.
  std::deque<JobPtr> abandon();

  // Ends the processes: at the deadline at the latest, by force.
  void finish(ipc::Deadline deadline);
  [[nodiscard]] bool alive() const { return zygote_.alive(); }
  // Why it is not alive.
  [[nodiscard]] std::string why_gone() const { return zygote_.why_gone(); }

  // Whether a worker has begun it.
  [[nodiscard]] bool runs(const TaskState& state) const;
  // A task that did not fit a channel yet.
  [[nodiscard]] bool owes() const;
  // When collect() has something to do though nothing came.
  [[nodiscard]] ipc::Deadline next_change() const;

 private:
  using Clock = std::chrono::steady_clock;

  // vacant: nobody; paused: a worker will be started; present: takes tasks; leaving: takes no more
  // and ends when it has done those that it has; stopped: was told to end.
  enum class Stage : std::uint8_t { vacant, paused, present, leaving, stopped };
  struct Place {
    WorkerLink link;
    Stage stage = Stage::vacant;
    // paused: until then. present: idle since then, where idle workers go.
    Clock::time_point since{};
  };

  void add_place();
  void start(std::size_t index, Returned& returned);
  void try_start(std::size_t index);
  void collect_from(std::size_t index, Returned& returned);
  void dismiss_idle();
  void condemn(std::size_t index, Returned& returned);
  void bury(const DeathReport& death, Returned& returned);
  void replace(std::size_t index, const DeathReport& death, bool took_a_task, Returned& returned);
  [[nodiscard]] std::string loss_of(const WorkerSlot& slot, const DeathReport& death);
  [[nodiscard]] std::size_t count_present() const;
  [[nodiscard]] bool elastic() const { return least_ < target_; }

  const ipc::AnyChannel channel_;
  const Options& options_;
  const std::size_t piece_bytes_;
  const WorkerSettings settings_;
  Board& board_;
  ZygoteClient zygote_;
  const std::shared_ptr<ArenaOwner> long_calls_;
  std::deque<Place> places_;  // as many as there ever were workers at a time
  std::size_t target_;
  std::size_t least_;  // workers that stay though they are idle
  std::uint32_t deaths_seen_ = 0;
  std::size_t idle_deaths_ = 0;     // in a row
  std::size_t start_failures_ = 0;  // in a row
  bool finished_ = false;
};

}  // namespace pools
