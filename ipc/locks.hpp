// The registry: every lock, once, in the order in which tables show them.
// A new one is its file in ipc/locks/ and its entry here.
#pragma once

#include "ipc/lock.hpp"
#include "ipc/locks/boost_file_lock.hpp"
#include "ipc/locks/boost_mutex.hpp"
#include "ipc/locks/boost_named_mutex.hpp"
#include "ipc/locks/futex.hpp"
#include "ipc/locks/robust_mutex.hpp"
#include "ipc/locks/spin.hpp"
#include "ipc/locks/std_mutex.hpp"
#include "ipc/locks/sysv_semaphore.hpp"
#include "ipc/locks/ticket.hpp"
#include "ipc/type_list.hpp"

namespace ipc {

// What guards data of one process. Some of them cross processes too.
using ThreadLocks = TypeList<StdMutex, StdSharedMutex, SpinLock, TicketLock, FutexLock>;

// Made to be shared by processes. All but the file lock exclude threads too.
using ProcessLocks =
    TypeList<RobustMutex, BoostMutex, BoostNamedMutex, BoostFileLock, SysvSemaphore>;

using AllLocks = Joined<ThreadLocks, ProcessLocks>;

}  // namespace ipc
