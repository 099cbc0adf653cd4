// Which process an object belongs to. One that was forked from it has a copy that is of no use
// there: the threads are missing, the sockets are the parent's.
#pragma once

#include <cstdint>

namespace pools {

// Changes in a forked child (pthread_atfork(3)), and is then other than in all its ancestors.
// Reading it is all that a check costs; getpid(2) is a system call.
inline std::uint32_t fork_generation = 0;

class OwnProcess {
 public:
  OwnProcess();

  [[nodiscard]] bool is_this() const { return generation_ == fork_generation; }
  // Throws WrongProcess, which says that `what` belongs to another process, unless is_this().
  void check(const char* what) const {
    if (!is_this()) refuse(what);
  }

 private:
  [[noreturn]] static void refuse(const char* what);

  std::uint32_t generation_;
};

}  // namespace pools
