#include "pools/own_process.hpp"

#include <pthread.h>

#include "ipc/syscall.hpp"
#include "pools/errors.hpp"

namespace pools {

namespace {

void count_forks() {
  static const int error = ::pthread_atfork(nullptr, nullptr, [] { ++fork_generation; });
  if (error != 0) ipc::throw_errno("pthread_atfork", error);
}

}  // namespace

OwnProcess::OwnProcess() : generation_(fork_generation) {
  count_forks();
}

void OwnProcess::refuse(const char* what) {
  throw WrongProcess(what);
}

}  // namespace pools
