// The registry: every notifier, once, in the order in which tables show them.
// A new one is its file in ipc/notifiers/ and its entry here.
#pragma once

#include "ipc/notifier.hpp"
#include "ipc/notifiers/eventfd.hpp"
#include "ipc/notifiers/futex.hpp"
#include "ipc/notifiers/semaphore.hpp"
#include "ipc/notifiers/signal.hpp"
#include "ipc/type_list.hpp"

namespace ipc {

using AllNotifiers = TypeList<EventfdNotifier, FutexNotifier, SemaphoreNotifier, SignalNotifier>;

}  // namespace ipc
