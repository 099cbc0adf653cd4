// A realtime signal to the thread that waits, which has it blocked and takes it out of its queue:
// rt_tgsigqueueinfo(2), sigtimedwait(2). No handler is installed.
#pragma once

#include <signal.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <atomic>
#include <cerrno>
#include <cstdint>
#include <string>

#include "ipc/lifeline.hpp"
#include "ipc/notifier.hpp"
#include "ipc/syscall.hpp"

namespace ipc {

// The signal is SIGRTMIN, and stays blocked in a thread that has waited. A thread waits at one
// notifier of this kind. The two sides see each other's process numbers (pid_namespaces(7)) and may
// send each other signals (kill(2)).
class SignalNotifier {
  // Whom to send to, and whether something was told that has not been taken: in one word, so that
  // each notification either finds an address or is found by the one that leaves it. While it says
  // `notified` and there is an address, one signal is under way, and no second one is sent.
  struct State {
    static constexpr std::uint64_t nobody = 0;
    static constexpr std::uint64_t notified = 1;

    std::atomic<std::uint64_t> word{nobody};

    // A thread number is less than 2^22 (proc(5), pid_max).
    static std::uint64_t address(pid_t process, pid_t thread) {
      return static_cast<std::uint64_t>(process) << 32 | static_cast<std::uint64_t>(thread) << 1;
    }
    static pid_t process(std::uint64_t address) { return static_cast<pid_t>(address >> 32); }
    static pid_t thread(std::uint64_t address) {
      return static_cast<pid_t>((address & UINT32_MAX) >> 1);
    }
  };

  // What an end holds.
  class End {
   public:
    End(Mapping mapping, Lifeline lifeline)
        : mapping_(std::move(mapping)), lifeline_(std::move(lifeline)) {}
    explicit End(Parcel& parcel) : mapping_(Mapping::attach(parcel.take_fd())), lifeline_(parcel) {}
    void pack(Parcel& parcel) && {
      parcel.put(mapping_.fd().duplicate());
      std::move(lifeline_).pack(parcel);
    }

   protected:
    [[nodiscard]] std::atomic<std::uint64_t>& word() { return mapping_.as<State>().word; }

    Mapping mapping_;
    Lifeline lifeline_;
  };

 public:
  static constexpr std::string_view name = "signal";

  class Bell : public End {
   public:
    using End::End;

    void notify() {
      // Release: what we wrote is visible to the side that is told. Partner: wait.
      const std::uint64_t before = word().fetch_or(State::notified, std::memory_order_acq_rel);
      if ((before & State::notified) != 0 || before == State::nobody) return;
      // A number may belong to somebody else by now, whom the signal would kill. Not while the
      // waiter's end is there.
      if (lifeline_.peers_gone()) return;
      siginfo_t info{};
      info.si_code = SI_QUEUE;
      info.si_pid = ::getpid();
      info.si_uid = ::getuid();
      const long sent = ::syscall(SYS_rt_tgsigqueueinfo, State::process(before),
                                  State::thread(before), SIGRTMIN, &info);
      if (sent == 0 || errno == ESRCH) return;  // it waits no more, or in another thread next time
      const int error = errno;
      word().fetch_and(~State::notified, std::memory_order_relaxed);
      throw_errno(error == EAGAIN ? "rt_tgsigqueueinfo: too many signals wait in queues; raise "
                                    "RLIMIT_SIGPENDING with `ulimit -i`"
                                  : "rt_tgsigqueueinfo",
                  error);
    }
  };

  class Waiter : public End {
   public:
    using End::End;

    bool wait(Deadline deadline) {
      sigset_t set;
      sigemptyset(&set);
      sigaddset(&set, SIGRTMIN);
      if (const pid_t thread = ::gettid(); thread != thread_) {
        ::pthread_sigmask(SIG_BLOCK, &set, nullptr);
        thread_ = thread;
        const std::uint64_t before =
            word().exchange(State::address(::getpid(), thread), std::memory_order_acq_rel);
        if ((before & State::notified) != 0) return true;
      }
      // The signal first, then the word: signals do not pile up.
      while (take(set, deadline)) {
        // Acquire, partner: notify.
        const std::uint64_t before = word().fetch_and(~State::notified, std::memory_order_acq_rel);
        if ((before & State::notified) != 0) return true;
      }
      return false;
    }

   private:
    static bool take(const sigset_t& set, Deadline deadline) {
      const int taken = retry_interrupted([&] {
        if (deadline.is_never()) return ::sigwaitinfo(&set, nullptr);
        const timespec left = deadline.remaining();
        return ::sigtimedwait(&set, nullptr, &left);
      });
      if (taken == -1 && errno != EAGAIN) throw_errno("sigtimedwait");
      return taken != -1;
    }

    pid_t thread_ = 0;  // that waited last; a forked process is another one
  };

  static std::pair<Bell, Waiter> open() {
    auto mapping = Mapping::create(sizeof(State));
    auto same = Mapping::attach(mapping.fd().duplicate());
    auto lifelines = Lifeline::open();
    return {Bell(std::move(mapping), std::move(lifelines.first)),
            Waiter(std::move(same), std::move(lifelines.second))};
  }
};

static_assert(Notifier<SignalNotifier>);

}  // namespace ipc
