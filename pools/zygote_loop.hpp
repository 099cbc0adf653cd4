// The zygote's side: forks the workers of any number of pools, and reaps them.
#pragma once

#include <list>
#include <map>

#include "ipc/fd.hpp"
#include "ipc/mapping.hpp"
#include "ipc/parcel.hpp"
#include "ipc/process.hpp"
#include "pools/board.hpp"
#include "pools/zygote_protocol.hpp"

namespace pools::detail {

// Belongs to a process of its own, which has one thread.
class ZygoteLoop {
 public:
  // control: over which the pools come. owner: a pidfd of the process that has the pools.
  ZygoteLoop(ipc::Fd control, ipc::Fd owner)
      : control_(std::move(control)), owner_(std::move(owner)) {}

  // Until the owner is gone, or hangs up. Kills the workers that are left.
  void run();

 private:
  struct Client {
    ipc::Fd socket;
    ipc::Mapping board;
    std::map<std::size_t, ipc::Process> workers;
    bool finishes = false;  // starts none any more
    bool gone = false;      // says nothing any more

    [[nodiscard]] bool is_over() const { return (finishes || gone) && workers.empty(); }
    void drop();
  };

  bool admit();
  void obey(Client& client);
  void start(Client& client, std::size_t worker, ipc::Parcel& order);
  void leave_to(Client& client);
  static void reap(Client& client, std::size_t worker);
  static void report_death(Client& client, const DeathReport& death);
  static void report(Client& client, const Report& report);

  ipc::Fd control_;
  ipc::Fd owner_;
  std::list<Client> clients_;
};

}  // namespace pools::detail
