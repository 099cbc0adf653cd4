// Work in worker processes, over any channel that crosses processes.
//
//   auto pool = pools::ProcessPool<ipc::UnixStream>({.workers = 3});
//   auto answer = pool.submit([](int x) { return x * 2; }, 21);
//   answer.get();
#pragma once

#include <algorithm>
#include <exception>
#include <memory>
#include <stdexcept>
#include <string>
#include <string_view>
#include <type_traits>
#include <utility>

#include "ipc/any_channel.hpp"
#include "ipc/joined_name.hpp"
#include "pools/call.hpp"
#include "pools/dispatcher.hpp"
#include "pools/options.hpp"
#include "pools/verbs.hpp"

namespace pools {

// Over a channel that is chosen when the program runs.
// A worker that dies costs the task that it was running, which gets WorkerDied, and nothing else: a
// new one takes its place, and tasks that it had not begun are run by others.
// Arguments and results are copied (pools/codec.hpp); functions have to be trivially copyable, and
// what they refer to has to exist since before the pool.
// All members may be called from any thread at any time, but in the process that made the pool
// only: in one that was forked from it they throw WrongProcess.
class AnyProcessPool : public Verbs<AnyProcessPool> {
 public:
  // Requires that the process has one thread, unless Options::zygote, Options::start or
  // Options::fork_with_threads say otherwise: std::logic_error. Throws std::invalid_argument for
  // options that cannot be and for a channel that works between threads only, std::system_error
  // when the system refuses.
  explicit AnyProcessPool(const ipc::AnyChannel& channel, const Options& options = {})
      : dispatcher_(std::make_shared<Dispatcher>(channel, checked(channel, options),
                                                 piece_bytes(channel, options))) {}

  AnyProcessPool(AnyProcessPool&&) = delete;

  // Waits until every task is done. A copy in a forked child is left as it is: it has no threads to
  // be joined there, and all else is the parent's.
  ~AnyProcessPool() {
    if (!dispatcher_->is_of_this_process()) {
      static_cast<void>(new std::shared_ptr<Dispatcher>(std::move(dispatcher_)));
      return;
    }
    close();
    join();
  }

  [[nodiscard]] std::size_t workers() const { return dispatcher_->workers(); }
  // More workers, or fewer: those that are too many end when their tasks are done.
  // Throws std::invalid_argument for none and for more than workers_max.
  void resize(std::size_t workers) {
    if (workers == 0) throw std::invalid_argument("resize(0): a pool has at least 1 worker");
    dispatcher_->resize(worker_count({.workers = workers}));
  }

  // What does not fit a channel is kept here: waits for room only where Options say so. Throws
  // PoolClosed, PoolBroken or QueueFull. What encoding the call throws is the future's error.
  template <class F, class... Args>
  requires Callable<F, Args...>
  auto submit(F&& function, Args&&... args) -> Future<ResultOf<F, Args...>> {
    Writer call(sizeof(MessageHeader), dispatcher_->long_calls());
    return submit_job(std::make_shared<Job>(std::move(call)), std::forward<F>(function),
                      std::forward<Args>(args)...);
  }
  // The same, with limits of its own.
  template <class F, class... Args>
  requires Callable<F, Args...>
  auto submit(const TaskOptions& options, F&& function, Args&&... args)
      -> Future<ResultOf<F, Args...>> {
    Writer call(sizeof(MessageHeader) + sizeof(TaskLimits), dispatcher_->long_calls());
    return submit_job(std::make_shared<Job>(std::move(call), options), std::forward<F>(function),
                      std::forward<Args>(args)...);
  }

  // Cancels every task that no worker has begun.
  void cancel_pending() { dispatcher_->cancel_queued(); }
  // Takes no more tasks.
  void close() { dispatcher_->close(); }
  // Waits until every task is done and every process has ended. Requires close() or terminate():
  // std::logic_error otherwise.
  void join() { dispatcher_->join(); }
  // Kills the workers. Futures that are not resolved get PoolTerminated.
  void terminate() { dispatcher_->terminate(); }

 private:
  template <class F, class... Args>
  auto submit_job(const JobPtr& job, F&& function, Args&&... args) -> Future<ResultOf<F, Args...>> {
    using R = ResultOf<F, Args...>;
    if constexpr (!std::is_void_v<R>) check_encodable<R>();
    try {
      encode_call(job->call, std::forward<F>(function), std::forward<Args>(args)...);
    } catch (...) {
      job->resolve(std::current_exception());
    }
    if (!job->ready()) dispatcher_->submit(job);
    return {job, dispatcher_, [](TaskState& state) {
              auto& done = static_cast<Job&>(state);
              const Answer message = std::move(done.answer);
              SharedMemories memories = std::move(done.memories);
              Reader answer(message.body(), &memories);
              return decode_answer<R>(answer);
            }};
  }

  static std::size_t piece_bytes(const ipc::AnyChannel& channel, const Options& options) {
    constexpr std::size_t suits = 4096;  // a page: what most mechanisms move well
    constexpr std::size_t least = 64;
    const std::size_t carried = channel.traits.message_bytes_max;
    if (options.message_bytes == 0) return std::min(suits, carried);
    if (options.message_bytes < least || options.message_bytes > carried) {
      throw std::invalid_argument("message_bytes is " + std::to_string(options.message_bytes) +
                                  ", a pool over " + std::string(channel.name) + " takes " +
                                  std::to_string(least) + " to " + std::to_string(carried));
    }
    return options.message_bytes;
  }

  static const Options& checked(const ipc::AnyChannel& channel, const Options& options) {
    if (!channel.traits.crosses_processes) {
      throw std::invalid_argument(std::string(channel.name) +
                                  " works between the threads of one process; take a channel that "
                                  "crosses processes, or a thread pool");
    }
    return options;
  }

  std::shared_ptr<Dispatcher> dispatcher_;
};

// Over a channel that is chosen when the program is written.
template <ipc::Channel C>
requires(C::traits.crosses_processes) class ProcessPool : public AnyProcessPool {
  static constexpr std::string_view prefix = "process_";

 public:
  static constexpr std::string_view name = ipc::JoinedName<prefix, C::name>::value;

  explicit ProcessPool(const Options& options = {})
      : AnyProcessPool(ipc::any_channel<C>(), options) {}
};

}  // namespace pools
