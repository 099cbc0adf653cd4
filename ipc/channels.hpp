// The registry: every mechanism, once, in the order in which tables show them.
// A new one is its file in ipc/channels/ and its entry here.
#pragma once

#include "ipc/channel.hpp"
#include "ipc/channels/boost_lockfree.hpp"
#include "ipc/channels/boost_queue.hpp"
#include "ipc/channels/boost_shm.hpp"
#include "ipc/channels/cma.hpp"
#include "ipc/channels/fifo.hpp"
#include "ipc/channels/guarded_queue.hpp"
#include "ipc/channels/mapped_file.hpp"
#include "ipc/channels/memfd.hpp"
#include "ipc/channels/mpmc_ring.hpp"
#include "ipc/channels/pipe.hpp"
#include "ipc/channels/pipe_vmsplice.hpp"
#include "ipc/channels/posix_queue.hpp"
#include "ipc/channels/shm_condvar.hpp"
#include "ipc/channels/shm_mutex.hpp"
#include "ipc/channels/shm_semaphore.hpp"
#include "ipc/channels/spsc_ring.hpp"
#include "ipc/channels/sysv_queue.hpp"
#include "ipc/channels/sysv_shm.hpp"
#include "ipc/channels/tcp.hpp"
#include "ipc/channels/udp.hpp"
#include "ipc/channels/unix_datagram.hpp"
#include "ipc/channels/unix_seqpacket.hpp"
#include "ipc/channels/unix_stream.hpp"
#include "ipc/type_list.hpp"

namespace ipc {

using AllChannels = TypeList<
    // pipes
    Pipe, Fifo, PipeVmsplice,
    // sockets
    UnixStream, UnixSeqpacket, UnixDatagram, Tcp, Udp,
    // message queues
    PosixQueue, SysvQueue, BoostQueue,
    // shared memory under a lock
    ShmMutex, ShmCondvar, BoostShm, ShmSemaphore, SysvShm, MappedFile,
    // rings
    SpscRing<Spin>, SpscRing<Yield>, SpscRing<Futex>, SpscRing<Adaptive>, SpscRing<EventFd>,
    MpmcRing<Spin>, MpmcRing<Yield>, MpmcRing<Futex>, MpmcRing<Adaptive>, MpmcRing<EventFd>,
    // copies by the kernel
    Cma, Memfd,
    // between threads only
    GuardedQueue<StdMutex>, GuardedQueue<StdSharedMutex>, GuardedQueue<SpinLock>,
    GuardedQueue<TicketLock>, GuardedQueue<FutexLock>, BoostLockfreeSpsc, BoostLockfreeQueue>;

}  // namespace ipc
