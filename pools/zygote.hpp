// The process that forks the workers. It is forked itself before the pool's process has threads and
// stays single-threaded, so that a worker can be replaced at any time.
//
//   pool --orders--> zygote --fork--> workers
//        <-reports--
//
// Everybody dies with the pool's process, however that ends: the zygote watches it through a pidfd,
// and the kernel kills the workers with the zygote (prctl(2), PR_SET_PDEATHSIG).
#pragma once

#include <signal.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <cerrno>
#include <chrono>
#include <functional>
#include <optional>
#include <system_error>
#include <utility>
#include <vector>

#include "ipc/parcel.hpp"
#include "ipc/process.hpp"
#include "ipc/socket_pair.hpp"
#include "pools/board.hpp"

namespace pools {

// How a worker ended, or that it could not be started.
struct DeathReport {
  std::size_t worker;
  pid_t pid;
  ipc::ExitStatus status;
  int fork_error;  // errno of the fork that failed, else 0
};

// What a worker does: its number, and its ends of the channels.
using WorkerMain = std::function<void(std::size_t worker, ipc::Parcel& ends)>;

namespace detail {

enum class Order : std::uint8_t { start, kill, finish };

// The zygote's side.
class ZygoteLoop {
 public:
  ZygoteLoop(ipc::Fd& socket, ipc::Fd pool, Board& board, const WorkerMain& main)
      : socket_(socket),
        pool_(std::move(pool)),
        board_(board),
        main_(main),
        workers_(workers_max) {}

  // Until the pool is gone, or until every worker has ended after Order::finish.
  void run() {
    while (!finishing_ || alive_ > 0) {
      std::vector<pollfd> events{readable(socket_), readable(pool_)};
      std::vector<std::size_t> watched;
      for (std::size_t worker = 0; worker < workers_.size(); ++worker) {
        if (!workers_[worker]) continue;
        watched.push_back(worker);
        events.push_back(readable(workers_[worker]->pidfd()));
      }
      ipc::poll(events, ipc::Deadline::never());
      for (std::size_t i = 0; i < watched.size(); ++i) {
        if (events[i + 2].revents != 0) reap(watched[i]);
      }
      if (events[1].revents != 0) return;
      if (events[0].revents != 0 && !obey()) return;
    }
  }

 private:
  static pollfd readable(const ipc::Fd& fd) {
    return {.fd = fd.get(), .events = POLLIN, .revents = 0};
  }

  bool obey() {
    auto parcel = ipc::Parcel::receive(socket_);
    if (!parcel) return false;
    const auto order = parcel->take<Order>();
    if (order == Order::finish) {
      finishing_ = true;
      return true;
    }
    const auto worker = parcel->take<std::size_t>();
    if (order == Order::start) start(worker, *parcel);
    if (order == Order::kill && workers_[worker]) workers_[worker]->kill(SIGKILL);
    return true;
  }

  void start(std::size_t worker, ipc::Parcel& ends) {
    try {
      workers_[worker].emplace([&] {
        // The zygote's own: with a copy of the socket, the pool would not see the zygote's end.
        socket_.reset();
        pool_.reset();
        ::prctl(PR_SET_NAME, "pool-worker");
        main_(worker, ends);
        return 0;
      });
      ++alive_;
    } catch (const std::system_error& error) {
      report({.worker = worker, .pid = -1, .status = {}, .fork_error = error.code().value()});
    }
  }

  void reap(std::size_t worker) {
    const pid_t pid = workers_[worker]->pid();
    const auto status = workers_[worker]->join(ipc::Deadline::now());
    if (!status) return;
    workers_[worker].reset();
    --alive_;
    report({.worker = worker, .pid = pid, .status = *status, .fork_error = 0});
  }

  // Does not block: the pool starts no successor before it has read the report, so there are never
  // more of them than workers, and the socket has room for so many.
  void report(const DeathReport& death) {
    ipc::Parcel parcel;
    parcel.put(death);
    parcel.send(socket_);
    board_.deaths.fetch_add(1, std::memory_order_release);  // partner: Dispatcher::collect
    board_.events.fetch_add(1, std::memory_order_release);
    board_.bell.notify_all();
  }

  ipc::Fd& socket_;
  ipc::Fd pool_;
  Board& board_;
  const WorkerMain& main_;
  std::vector<std::optional<ipc::Process>> workers_;
  std::size_t alive_ = 0;
  bool finishing_ = false;
};

}  // namespace detail

// The pool's side. Belongs to one thread at a time; nothing here blocks except for stop().
class Zygote {
 public:
  // Forks it. `board` is shared memory, made before.
  Zygote(Board& board, const WorkerMain& main) {
    auto sockets = ipc::SocketPair::open(SOCK_SEQPACKET, std::size_t{256} << 10);
    const pid_t pool = ::getpid();
    process_ = ipc::Process([&] {
      sockets.sender.reset();
      // The thread that made the pool may end before the pool does: what counts is the process.
      ::prctl(PR_SET_PDEATHSIG, 0);
      ipc::Fd pool_pidfd(static_cast<int>(
          ipc::check("pidfd_open", [&] { return ::syscall(SYS_pidfd_open, pool, 0); })));
      if (::getppid() != pool) return 0;  // it died, and its number may be another's by now
      ::prctl(PR_SET_NAME, "pool-zygote");
      ::signal(SIGINT, SIG_IGN);   // Ctrl-C is for the pool's process to handle
      ::signal(SIGCHLD, SIG_DFL);  // inherited as ignored, it would hide how workers end
      detail::ZygoteLoop(sockets.receiver, std::move(pool_pidfd), board, main).run();
      return 0;
    });
    socket_ = std::move(sockets.sender);
  }

  Zygote(Zygote&&) = delete;
  ~Zygote() { stop(); }

  // The beginning of an order to start `worker`; its ends of the channels follow.
  static ipc::Parcel start_order(std::size_t worker) {
    ipc::Parcel order;
    order.put(detail::Order::start);
    order.put(worker);
    return order;
  }

  // These return false when the zygote is gone.
  bool start(const ipc::Parcel& order) const { return order.send(socket_); }

  bool kill(std::size_t worker) const {
    ipc::Parcel order;
    order.put(detail::Order::kill);
    order.put(worker);
    return order.send(socket_);
  }

  [[nodiscard]] bool alive() const {
    return process_.pid() > 0 && !ipc::poll(process_.pidfd().get(), POLLIN, ipc::Deadline::now());
  }

  // The next death, if there is one that was not reported yet.
  std::optional<DeathReport> next_death() const {
    if (!ipc::poll(socket_.get(), POLLIN, ipc::Deadline::now())) return std::nullopt;
    auto parcel = ipc::Parcel::receive(socket_);
    if (!parcel) return std::nullopt;
    return parcel->take<DeathReport>();
  }

  // Waits until the workers, who were told to stop, have ended. Those that have not at the deadline
  // are killed.
  void finish(ipc::Deadline deadline) {
    ipc::Parcel order;
    order.put(detail::Order::finish);
    if (order.send(socket_) && process_.join(deadline)) socket_.reset();
    stop();
  }

  // Kills the workers and waits until they are gone.
  void stop() {
    if (process_.pid() < 0) return;
    socket_.reset();  // which tells the zygote
    process_.join(ipc::Deadline::in(patience));
    process_ = {};  // kills it if it did not react: it was stopped, say, and its workers go with it
  }

 private:
  static constexpr std::chrono::seconds patience{5};

  ipc::Process process_;
  ipc::Fd socket_;
};

}  // namespace pools
