// semop(2): a System V semaphore. The kernel keeps it when all its users are gone; a guardian
// removes it then.
#pragma once

#include <sys/ipc.h>
#include <sys/sem.h>

#include <atomic>
#include <cerrno>
#include <fstream>
#include <string>

#include "ipc/guardian.hpp"
#include "ipc/lifeline.hpp"
#include "ipc/lock.hpp"
#include "ipc/syscall.hpp"

namespace ipc {

class SysvSemaphore {
 public:
  static constexpr std::string_view name = "sysv_semaphore";
  static constexpr LockTraits traits{
      .crosses_processes = true,
      .owner_death = OwnerDeath::frees,  // SEM_UNDO, when the whole process is gone
      .fair = true,
      .lies_in_memory = false,
  };

  SysvSemaphore() : id_(::semget(IPC_PRIVATE, 1, IPC_CREAT | 0600)) {
    if (const int error = errno; id_ == -1) {
      throw_errno(
          "semget: kernel.sem is " + limits() +
              "; remove semaphores that nobody uses (ipcs -s, ipcrm -s ID), or raise its last "
              "number with sysctl",
          error);
    }
    const auto remove = [id = id_] { ::semctl(id, 0, IPC_RMID); };
    try {
      guard(lifeline_, remove);
      add(+1, 0);  // a new one is 0
    } catch (...) {
      remove();
      throw;
    }
  }
  explicit SysvSemaphore(Parcel& parcel) : lifeline_(parcel), id_(parcel.take<int>()) {}
  void pack(Parcel& parcel) const {
    lifeline_.clone().pack(parcel);
    parcel.put(id_);
  }

  // The kernel orders what processors see. Acquire and release say the same in the language, for
  // the threads that share this object.
  void lock() {
    add(-1, SEM_UNDO);
    unlocked_.load(std::memory_order_acquire);
  }
  void unlock() {
    unlocked_.store(true, std::memory_order_release);
    add(+1, SEM_UNDO);
  }

 private:
  void add(short count, short flags) const {
    sembuf operation{.sem_num = 0, .sem_op = count, .sem_flg = flags};
    check("semop", [&] { return ::semop(id_, &operation, 1); });
  }

  static std::string limits() {
    std::ifstream file("/proc/sys/kernel/sem");
    std::string text;
    std::getline(file, text);
    return text;
  }

  Lifeline lifeline_ = Lifeline::open().first;
  int id_;
  std::atomic<bool> unlocked_{true};
};

static_assert(Lock<SysvSemaphore>);

}  // namespace ipc
