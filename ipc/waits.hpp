// Every way to wait, in the order in which tables show them.
#pragma once

#include "ipc/waits/adaptive.hpp"
#include "ipc/waits/event_fd.hpp"
#include "ipc/waits/futex.hpp"
#include "ipc/waits/spin.hpp"
#include "ipc/waits/yield.hpp"
