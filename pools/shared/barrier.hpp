// A barrier between processes: none goes on before all have come.
#pragma once

#include <atomic>
#include <cstdint>
#include <functional>
#include <stdexcept>
#include <string_view>

#include "ipc/deadline.hpp"
#include "pools/shared/holdings.hpp"
#include "pools/shared/monitor.hpp"

namespace pools {

// Not all came: what() says why.
class BrokenBarrier : public std::runtime_error {
 public:
  using std::runtime_error::runtime_error;
};

// Once broken it stays so, for all parties, until reset(). A party that is killed while it waits
// breaks it within pools::patience; one that is killed elsewhere does not come, and the others'
// deadlines break it.
class Barrier {
 public:
  static constexpr std::string_view kind = "barrier";

  // Throws std::invalid_argument unless 1 <= parties. At most Holdings::processes_max processes.
  explicit Barrier(std::uint32_t parties);

  // Waits until all parties have come, and returns how many came before the caller. The last one
  // calls `action` before anybody goes on: all pass the same one, or none.
  // Throws BrokenBarrier, at the latest at the deadline, which breaks it for all. What `action`
  // throws goes to the last one, and the barrier is broken.
  std::uint32_t wait(ipc::Deadline deadline = ipc::Deadline::never(),
                     const std::function<void()>& action = nullptr);

  // Breaks it.
  void abort();
  // Makes it new. Those who wait get BrokenBarrier.
  void reset();

  [[nodiscard]] bool broken();
  [[nodiscard]] std::uint32_t parties() const { return parties_; }
  // Those who wait now.
  [[nodiscard]] std::uint32_t waiting();

 private:
  enum class Cause : std::uint32_t { none, abort, deadline, death, action };

  // The rounds that are over, and how the last ones ended: in one word, so that who ends a round
  // does all of it or nothing.
  struct Rounds {
    std::uint32_t count;
    std::uint32_t completed;  // a bit each, the last round's is the lowest
  };

  std::uint32_t arrive(std::uint32_t& round, ipc::Deadline deadline);
  void await_others(std::uint32_t round, ipc::Deadline deadline);
  void complete(std::uint32_t round, const std::function<void()>& action);

  // These are called inside the monitor.
  [[nodiscard]] std::uint32_t arrived() const;
  void break_for(Cause cause);
  void break_if_one_died();
  void end_round(bool completed);
  [[noreturn]] void throw_broken() const;

  Monitor monitor_;
  Monitor::Change change_;
  std::uint32_t parties_;
  Cause broken_ = Cause::none;
  std::atomic<Rounds> rounds_{};
  std::uint32_t members_round_ = 0;  // whose the members are; of an earlier one they are gone
  Holdings members_;                 // who has come
};

}  // namespace pools
