#include "pools/wait.hpp"

#include <deque>
#include <mutex>
#include <string>

namespace pools {

// Shared with the callbacks, which may be late.
class Completions::Arrivals {
 public:
  void add(std::size_t number) {
    std::shared_ptr<TaskState> changed;
    {
      const std::lock_guard hold(mutex_);
      numbers_.push_back(number);
      changed = std::exchange(changed_, nullptr);
    }
    if (changed != nullptr) changed->resolve();
  }

  std::optional<std::size_t> take() {
    const std::lock_guard hold(mutex_);
    if (numbers_.empty()) return std::nullopt;
    const std::size_t number = numbers_.front();
    numbers_.pop_front();
    return number;
  }

  // Ready once there is something to take.
  std::shared_ptr<TaskState> changed() {
    const std::lock_guard hold(mutex_);
    if (changed_ == nullptr) changed_ = std::make_shared<TaskState>();
    const auto changed = changed_;
    if (!numbers_.empty()) std::exchange(changed_, nullptr)->resolve();
    return changed;
  }

 private:
  std::mutex mutex_;
  std::deque<std::size_t> numbers_;
  std::shared_ptr<TaskState> changed_;  // somebody waits for it
};

Completions::Completions() : arrivals_(std::make_shared<Arrivals>()) {}
Completions::Completions(Completions&&) noexcept = default;

Completions::~Completions() {
  for (const auto& [number, each] : watched_) each.future.task_state()->forget(each.callback);
}

void Completions::add(std::size_t number, const AnyFuture& future) {
  const auto callback =
      future.task_state()->on_ready([arrivals = arrivals_, number] { arrivals->add(number); });
  watched_.emplace(number, Watched{future, callback});
  if (engine_ == nullptr) engine_ = future.engine();
  if (engine_ == future.engine() && !several_) return;
  several_ = true;
  engine_->attend();
  future.engine()->attend();
  if (future.engine()->served_by_this_thread()) engine_ = future.engine();
}

std::optional<std::size_t> Completions::next(ipc::Deadline deadline) {
  while (left() > 0) {
    if (const auto number = arrivals_->take()) {
      watched_.erase(*number);
      return number;
    }
    const auto changed = arrivals_->changed();
    // A thread of a pool has to go on with its pool's work: what it waits for may be in that queue.
    const bool in_engine = !several_ || engine_->served_by_this_thread();
    if (!(in_engine ? engine_->wait(*changed, deadline) : changed->sleep(deadline))) break;
  }
  return std::nullopt;
}

bool detail::failed(const AnyFuture& ready) {
  return !ready.cancelled() && ready.error() != nullptr;
}

void detail::throw_unfinished(std::size_t left, std::size_t all) {
  throw TimedOut(std::to_string(left) + " (of " + std::to_string(all) + ") futures unfinished");
}

}  // namespace pools
