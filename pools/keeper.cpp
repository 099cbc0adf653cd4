#include "pools/keeper.hpp"

#include <signal.h>

#include <chrono>
#include <system_error>

namespace pools {

void Keeper::rouse(Pace pace) {
  if (pace <= pace_ || stopping_) return;
  pace_ = pace;
  if (thread_.joinable()) {
    wakes_.notify_one();
  } else {
    start();
  }
}

void Keeper::start() {
  // Signals are for the threads that the program made.
  sigset_t all;
  sigset_t before;
  sigfillset(&all);
  ::pthread_sigmask(SIG_SETMASK, &all, &before);
  try {
    thread_ = std::thread([this] { keep(); });
  } catch (const std::system_error&) {
    pace_ = Pace::asleep;  // no thread to be had: whoever waits does without, the next asks again
  }
  ::pthread_sigmask(SIG_SETMASK, &before, nullptr);
}

void Keeper::keep() {
  std::unique_lock lock(mutex_);
  while (!stopping_) {
    pace_ = turn_(lock);
    const auto roused = [this, pace = pace_] { return stopping_ || pace_ > pace; };
    switch (pace_) {
      case Pace::asleep:
        wakes_.wait(lock, roused);
        break;
      case Pace::watching:
        wakes_.wait_for(lock, std::chrono::milliseconds(100), roused);
        break;
      case Pace::feeding:
        wakes_.wait_for(lock, std::chrono::milliseconds(1), roused);
        break;
      case Pace::serving:
        break;  // its turns wait by themselves
    }
  }
}

void Keeper::stop() {
  std::thread thread;
  {
    const std::unique_lock lock(mutex_);
    stopping_ = true;
    wakes_.notify_one();
    thread.swap(thread_);
  }
  if (thread.joinable()) thread.join();
}

}  // namespace pools
