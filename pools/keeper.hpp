// The thread that goes on with a pool's work while nobody waits for it.
#pragma once

#include <condition_variable>
#include <cstdint>
#include <functional>
#include <mutex>
#include <thread>

namespace pools {

class Keeper {
 public:
  // asleep: there is nothing to do; watching: workers are busy, and may die; feeding: tasks wait;
  // serving: somebody wants to be called back.
  enum class Pace : std::uint8_t { asleep, watching, feeding, serving };
  // Looks after the pool once, and says how soon again. Called with the mutex held.
  using Turn = std::function<Pace(std::unique_lock<std::mutex>& lock)>;

  Keeper(std::mutex& mutex, Turn turn) : mutex_(mutex), turn_(std::move(turn)) {}
  Keeper(Keeper&&) = delete;
  ~Keeper() { stop(); }

  // Sees to it that the pool is looked after at this pace or a quicker one. Requires the mutex.
  // Costs nothing while the pace is right already.
  void rouse(Pace pace);
  [[nodiscard]] bool stopping() const { return stopping_; }

  // Waits for the end of the thread, which takes no more than a turn. Not with the mutex held.
  void stop();

 private:
  void start();
  void keep();

  std::mutex& mutex_;
  const Turn turn_;
  std::thread thread_;
  std::condition_variable wakes_;
  Pace pace_ = Pace::asleep;
  bool stopping_ = false;
};

}  // namespace pools
