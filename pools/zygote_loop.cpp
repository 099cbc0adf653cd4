#include "pools/zygote_loop.hpp"

#include <signal.h>
#include <sys/prctl.h>
#include <sys/socket.h>

#include <cerrno>
#include <optional>
#include <system_error>
#include <utility>
#include <vector>

#include "pools/code.hpp"
#include "pools/nesting.hpp"

namespace pools::detail {

namespace {

// poll(2) passes over a descriptor that is none.
pollfd readable(const ipc::Fd& fd) {
  return {.fd = fd.get(), .events = POLLIN, .revents = 0};
}

}  // namespace

void ZygoteLoop::run() {
  for (;;) {
    std::vector<pollfd> events{readable(owner_), readable(control_)};
    std::vector<std::pair<Client*, std::optional<std::size_t>>> subjects{};  // of the events after
    for (Client& client : clients_) {
      if (!client.gone) {
        events.push_back(readable(client.socket));
        subjects.emplace_back(&client, std::nullopt);
      }
      for (const auto& [worker, process] : client.workers) {
        events.push_back(readable(process.pidfd()));
        subjects.emplace_back(&client, worker);
      }
    }
    ipc::poll(events, ipc::Deadline::never());
    if (events[0].revents != 0) return;
    for (std::size_t i = 0; i < subjects.size(); ++i) {
      if (events[i + 2].revents == 0) continue;
      const auto [client, worker] = subjects[i];
      worker ? reap(*client, *worker) : obey(*client);
    }
    clients_.remove_if([](const Client& client) { return client.is_over(); });
    if (events[1].revents != 0 && !admit()) return;
  }
}

// A pool that does not come through (no descriptor is free) sees that we hang up.
bool ZygoteLoop::admit() {
  auto parcel = ipc::Parcel::receive(control_);
  if (!parcel) return false;
  if (parcel->cut()) return true;
  clients_.push_back({.socket = parcel->take_fd(), .board = ipc::Mapping(*parcel), .workers = {}});
  return true;
}

void ZygoteLoop::obey(Client& client) {
  auto order = ipc::Parcel::receive(client.socket);
  if (!order) return client.drop();
  switch (order->take<Order>()) {
    case Order::start:
      return start(client, order->take<std::size_t>(), *order);
    case Order::kill:
      if (const auto found = client.workers.find(order->take<std::size_t>());
          found != client.workers.end()) {
        found->second.kill(SIGKILL);
      }
      return;
    case Order::confirm:
      return report(client, {.confirms = true, .death = {}});
    case Order::finish:
      client.finishes = true;
      return;
  }
}

void ZygoteLoop::Client::drop() {
  gone = true;
  for (const auto& [worker, process] : workers) process.kill(SIGKILL);
}

void ZygoteLoop::start(Client& client, std::size_t worker, ipc::Parcel& order) {
  try {
    if (order.cut()) ipc::throw_errno("recvmsg(SCM_RIGHTS)", EMFILE);
    client.workers.insert_or_assign(worker, ipc::Process([&] {
                                      leave_to(client);
                                      ::prctl(PR_SET_NAME, "pool-worker");
                                      const auto main =
                                          code_at<WorkerMain>(order.take<CodeAddress>());
                                      return main(worker, client.board.as<Board>(), order);
                                    }));
  } catch (const std::system_error& error) {
    report_death(client,
                 {.worker = worker, .pid = -1, .status = {}, .fork_error = error.code().value()});
  }
}

// In a worker: lets go of what is the zygote's own. With a copy of a socket, a pool would not see
// that the zygote is gone; another pool's board is not this worker's to write to.
void ZygoteLoop::leave_to(Client& own) {
  control_.reset();
  owner_.reset();
  for (Client& client : clients_) {
    client.socket.reset();
    if (&client != &own) client.board = {};
    for (auto& [worker, process] : client.workers) process.disown();
  }
  ++nesting_depth;
}

void ZygoteLoop::reap(Client& client, std::size_t worker) {
  ipc::Process& process = client.workers.at(worker);
  const pid_t pid = process.pid();
  const auto status = process.join(ipc::Deadline::now());
  if (!status) return;
  client.workers.erase(worker);
  report_death(client, {.worker = worker, .pid = pid, .status = *status, .fork_error = 0});
}

void ZygoteLoop::report_death(Client& client, const DeathReport& death) {
  report(client, {.confirms = false, .death = death});
  auto& board = client.board.as<Board>();
  board.deaths.fetch_add(1, std::memory_order_release);  // partner: Dispatcher::collect
  board.ring();
}

// Never waits, other pools would wait too. There is room: a pool starts no successor before it has
// read of a death, so there are never more reports under way than workers.
void ZygoteLoop::report(Client& client, const Report& report) {
  if (client.gone) return;
  const auto sent = ipc::retry_interrupted([&] {
    return ::send(client.socket.get(), &report, sizeof report, MSG_DONTWAIT | MSG_NOSIGNAL);
  });
  if (sent == -1) client.drop();
}

}  // namespace pools::detail
