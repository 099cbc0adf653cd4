// What the tests of pools share: a guard against hangs, and memory that workers of any kind write
// to.
#pragma once

#include <signal.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <array>
#include <atomic>
#include <fstream>
#include <new>
#include <numeric>
#include <ostream>
#include <string>
#include <string_view>
#include <vector>

#include <gmock/gmock.h>

#include "ipc/fd.hpp"
#include "ipc/mapping.hpp"
#include "ipc/syscall.hpp"
#include "pools/pools.hpp"

namespace pool_test {

// SIGALRM ends a test that hangs. Processes of a pool end with it.
template <class Test>
class GuardedTest : public Test {
 protected:
  static constexpr unsigned hang_s = 250;

  void SetUp() override { ::alarm(hang_s); }
  void TearDown() override { ::alarm(0); }
};
using Guarded = GuardedTest<testing::Test>;
using OverPools = GuardedTest<testing::TestWithParam<pools::PoolKind>>;

// Seen by the test and by the workers of pools that are made after it.
struct Shared {
  std::atomic<int> ran{0};
  std::atomic<bool> open{false};  // lets waiting tasks go
  std::atomic<pid_t> pid{0};
  std::array<std::atomic<int>, 256> runs{};
};

class SharedMemory {
 public:
  SharedMemory() : memory_(ipc::Mapping::create(sizeof(Shared))) { new (memory_.data()) Shared; }
  Shared* get() const { return &memory_.as<Shared>(); }
  Shared* operator->() const { return get(); }

 private:
  ipc::Mapping memory_;
};

inline void pause_ms(unsigned ms) {
  ::usleep(ms * 1000);
}

template <class Ready>
void await(Ready&& ready) {
  while (!ready()) pause_ms(1);
}

inline std::vector<int> numbers(int count) {
  std::vector<int> all(static_cast<std::size_t>(count));
  std::iota(all.begin(), all.end(), 0);
  return all;
}

inline ipc::Fd pidfd_of(pid_t pid) {
  return ipc::Fd(static_cast<int>(
      ipc::check("pidfd_open", [&] { return ::syscall(SYS_pidfd_open, pid, 0); })));
}

// Waits for the end of a process that need not be a child.
inline void await_end(const ipc::Fd& pidfd) {
  ipc::poll(pidfd.get(), POLLIN, ipc::Deadline::never());
}

// The processes that a process has forked and not reaped.
inline std::vector<pid_t> children_of(pid_t parent) {
  const std::string task = "/proc/" + std::to_string(parent) + "/task/" + std::to_string(parent);
  std::ifstream list(task + "/children");
  std::vector<pid_t> children;
  for (pid_t pid = 0; list >> pid;) children.push_back(pid);
  return children;
}

// Of these the ones that have workers. For a moment there are others: a channel's guardian, which
// removes what the channel leaves, is the child of a child until that has ended.
inline std::vector<pid_t> zygotes_of(pid_t parent) {
  std::vector<pid_t> zygotes = children_of(parent);
  std::erase_if(zygotes, [](pid_t pid) {
    std::string name;
    std::getline(std::ifstream("/proc/" + std::to_string(pid) + "/comm") >> std::ws, name);
    return name != "pool-zygote";
  });
  return zygotes;
}

// ctest names a case by its pool.
inline std::string name_of(const testing::TestParamInfo<pools::PoolKind>& info) {
  std::string name = info.param.name;
  for (char& each : name) {
    if (std::isalnum(static_cast<unsigned char>(each)) == 0) each = '_';
  }
  return name;
}

}  // namespace pool_test

// What ctest shows of a case that failed; GoogleTest looks for it beside the type.
namespace pools {
inline void PrintTo(const PoolKind& kind, std::ostream* out) {  // NOLINT: GoogleTest's name
  *out << kind.name;
}
}  // namespace pools
