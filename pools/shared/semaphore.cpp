#include "pools/shared/semaphore.hpp"

#include <stdexcept>

namespace pools {

template <class Take>
bool Permits::take_one(Take take, ipc::Deadline deadline) {
  return monitor_.when(
      released_, [this] { return free() > 0; },
      [this] {
        if (held_.forget_the_dead()) Monitor::notify(released_);  // it may be more than one
      },
      deadline, take);
}

bool Permits::acquire(ipc::Deadline deadline) {
  return take_one([this] { held_.add(); }, deadline);
}

std::uint64_t Permits::value() {
  return monitor_.with([this] { return free(); });
}

void BoundedSemaphore::release() {
  monitor_.with([this] {
    if (!held_.remove()) {
      throw std::logic_error(
          "release of a bounded semaphore of which this process holds no permit");
    }
    Monitor::notify(released_);
  });
}

void Semaphore::release(std::uint32_t count) {
  monitor_.with([&] {
    while (count > 0 && held_.remove()) --count;
    all_ += count;
    Monitor::notify(released_);
  });
}

bool Semaphore::consume(ipc::Deadline deadline) {
  return take_one([this] { --all_; }, deadline);
}

}  // namespace pools
