#include "pools/shared/condition.hpp"

#include <algorithm>

namespace pools {

// A place among those who wait.
class Condition::Place {
 public:
  explicit Place(Condition& condition) : condition_(condition) {
    ticket_ = condition_.monitor_.with([this] {
      condition_.waiting_.add();
      return condition_.tickets_++;
    });
  }
  Place(const Place&) = delete;
  Place& operator=(const Place&) = delete;
  ~Place() {
    condition_.monitor_.with([this] { condition_.waiting_.remove(); });
  }

  // False at the deadline.
  bool await_notification(ipc::Deadline deadline) {
    return condition_.monitor_.when(
        condition_.notice_, [this] { return has_notification(); },
        [this] { condition_.waiting_.forget_the_dead(); }, deadline, [] {});
  }
  // False when others were quicker.
  bool take_notification() {
    return condition_.monitor_.with([this] {
      if (!has_notification()) return false;
      --condition_.owed_;
      return true;
    });
  }

 private:
  [[nodiscard]] bool has_notification() const {
    return condition_.owed_ > 0 && ticket_ < condition_.told_;
  }

  Condition& condition_;
  std::uint64_t ticket_ = 0;
};

Condition::Woken Condition::wait(OwnedLock& lock, ipc::Deadline deadline) {
  Place place(*this);  // before the lock is let go: from then on somebody may notify
  const std::uint32_t depth = lock.release_all();
  for (;;) {
    const bool in_time = place.await_notification(deadline);
    const Acquired acquired = lock.acquire_all(depth);
    // Taken only now: whoever is killed while it waits for the lock leaves it to the others.
    const bool notified = place.take_notification();
    if (notified || !in_time || acquired == Acquired::recovered) return {notified, acquired};
    lock.release_all();
  }
}

void Condition::notify(std::uint32_t count) {
  monitor_.with([&] {
    told_ = tickets_;
    owed_ = std::min(owed_ + count, waiting_.total());
    Monitor::notify(notice_);
  });
}

}  // namespace pools
