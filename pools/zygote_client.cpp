#include "pools/zygote_client.hpp"

#include <sys/socket.h>
#include <sys/wait.h>

#include <array>
#include <chrono>
#include <system_error>

#include "pools/code.hpp"
#include "pools/errors.hpp"

namespace pools {

namespace {

constexpr std::chrono::seconds patience{5};         // with a zygote that was told to end workers
constexpr std::chrono::seconds start_patience{30};  // with one that starts them
constexpr std::chrono::seconds end_patience{3};     // with one that has hung up

ipc::Parcel order_of(detail::Order order) {
  ipc::Parcel parcel;
  parcel.put(order);
  return parcel;
}

// Nothing when there is none, or none any more.
std::optional<detail::Report> next_report(const ipc::Fd& socket) {
  detail::Report report{};
  const auto got = ipc::retry_interrupted(
      [&] { return ::recv(socket.get(), &report, sizeof report, MSG_DONTWAIT); });
  return got == sizeof report ? std::optional(report) : std::nullopt;
}

}  // namespace

ZygoteClient::ZygoteClient(const Options& options, const ipc::Mapping& board) {
  const Zygote* zygote = options.start == StartMethod::zygote ? options.zygote : nullptr;
  if (zygote == nullptr) {
    own_.emplace(options.start == StartMethod::spawn ? Zygote::spawn()
                                                     : Zygote::fork(options.fork_with_threads));
    zygote = &*own_;
  }
  socket_ = zygote->connect(board);
  pid_ = zygote->pid();
  pidfd_ = zygote->pidfd().duplicate();
}

ipc::Parcel ZygoteClient::start_order(std::size_t worker, WorkerMain main) {
  ipc::Parcel order = order_of(detail::Order::start);
  order.put(worker);
  order.put(code_address(main));
  return order;
}

bool ZygoteClient::kill(std::size_t worker) const {
  ipc::Parcel order = order_of(detail::Order::kill);
  order.put(worker);
  return order.send(socket_);
}

void ZygoteClient::confirm() {
  if (!order_of(detail::Order::confirm).send(socket_)) throw PoolBroken(why_gone());
  const auto deadline = ipc::Deadline::in(start_patience);
  while (ipc::poll(socket_.get(), POLLIN, deadline)) {
    const auto report = next_report(socket_);
    if (!report) throw PoolBroken(why_gone());
    if (report->confirms) return;
    if (const auto& death = report->death; death.fork_error != 0) {
      throw std::system_error(death.fork_error, std::generic_category(),
                              "worker " + std::to_string(death.worker) +
                                  " cannot be started by zygote " + std::to_string(pid_) +
                                  "; take fewer workers, or raise its limits (`ulimit -u`, `-n`)");
    }
    deaths_.push_back(report->death);
  }
  ipc::throw_errno("waiting for zygote " + std::to_string(pid_) + ", which was stopped perhaps",
                   ETIMEDOUT);
}

std::optional<DeathReport> ZygoteClient::next_death() {
  if (!deaths_.empty()) {
    const DeathReport death = deaths_.front();
    deaths_.pop_front();
    return death;
  }
  const auto report = next_report(socket_);
  return report ? std::optional(report->death) : std::nullopt;
}

bool ZygoteClient::alive() const {
  // Both: another process may have a copy of the other end, and a living zygote may have hung up.
  std::array<pollfd, 2> ends{pollfd{.fd = pidfd_.get(), .events = POLLIN, .revents = 0},
                             pollfd{.fd = socket_.get(), .events = POLLRDHUP, .revents = 0}};
  return socket_.valid() && !ipc::poll(ends, ipc::Deadline::now());
}

std::string ZygoteClient::why_gone() const {
  const std::string zygote = "its zygote, process " + std::to_string(pid_) + ", ";
  // One that is ending hangs up a little earlier than it is dead.
  if (!ipc::poll(pidfd_.get(), POLLIN, ipc::Deadline::in(end_patience))) {
    return zygote + "refused it, probably at its limit of open files (`ulimit -n`)";
  }
  siginfo_t info{};
  const bool known =
      ::waitid(P_PIDFD, static_cast<id_t>(pidfd_.get()), &info, WEXITED | WNOHANG | WNOWAIT) == 0 &&
      info.si_pid != 0;
  return zygote + (known ? ipc::ExitStatus::of(info).text() : "was destroyed before the pool");
}

void ZygoteClient::finish(ipc::Deadline deadline) {
  if (order_of(detail::Order::finish).send(socket_)) hangs_up(deadline);
  stop();
}

void ZygoteClient::stop() {
  if (!socket_.valid()) return;
  ::shutdown(socket_.get(), SHUT_WR);  // which tells it, whoever has a copy of the socket
  hangs_up(ipc::Deadline::in(patience));
  socket_.reset();
  own_.reset();
}

// Waits until the zygote has no worker of this pool any more. False at the deadline.
bool ZygoteClient::hangs_up(ipc::Deadline deadline) const {
  std::array<pollfd, 2> ends{pollfd{.fd = pidfd_.get(), .events = POLLIN, .revents = 0},
                             pollfd{.fd = socket_.get(), .events = POLLRDHUP, .revents = 0}};
  return ipc::poll(ends, deadline);
}

}  // namespace pools
