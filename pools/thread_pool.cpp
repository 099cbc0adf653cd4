#include "pools/thread_pool.hpp"

#include <stdexcept>
#include <string>

#include "pools/errors.hpp"

namespace pools {
namespace {

// Each gets an error of its own: their futures may belong to many threads.
template <class Error>
void fail_all(TaskQueue& queue, const Error& error) {
  for (const ThreadTaskPtr& task : queue.drain()) {
    task->give_up();
    task->resolve(std::make_exception_ptr(error));
    task->run_callbacks();
  }
}

// What a thread does when it ends without having returned: pthread_exit(3) unwinds its stack.
template <class Function>
class WhenUnwound {
 public:
  explicit WhenUnwound(Function function) : function_(std::move(function)) {}
  WhenUnwound(const WhenUnwound&) = delete;
  ~WhenUnwound() {
    if (!returned_) function_();
  }

  void returned() { returned_ = true; }

 private:
  Function function_;
  bool returned_ = false;
};

}  // namespace

AnyThreadPool::AnyThreadPool(const Options& options, MakeQueue make_queue)
    : workers_(worker_count(options)),
      queue_(make_queue(options)),
      initializer_(options.initializer) {
  try {
    resize(workers_);
  } catch (...) {
    terminate();
    throw;
  }
}

AnyThreadPool::~AnyThreadPool() {
  close();
  join();
}

void AnyThreadPool::resize(std::size_t workers) {
  if (workers == 0) throw std::invalid_argument("resize(0): a pool has at least 1 worker");
  workers = worker_count({.workers = workers});
  const std::lock_guard hold(threads_mutex_);
  workers_.store(workers, std::memory_order_relaxed);
  if (threads_.size() < workers) threads_.resize(workers);
  std::vector<std::size_t> missing = queue_->resize(workers);
  try {
    for (; !missing.empty(); missing.pop_back()) {
      const std::size_t index = missing.back();
      if (threads_[index].joinable()) threads_[index].join();  // it has left the queue
      start(index);
    }
  } catch (...) {
    queue_->remain_missing(missing);
    throw;
  }
}

void AnyThreadPool::start(std::size_t index) {
  threads_[index] = std::thread([this, index] { run(index); });
}

void AnyThreadPool::run(std::size_t index) {
  WhenUnwound unwound([this, index] {
    const std::lock_guard hold(threads_mutex_);
    if (threads_[index].joinable()) threads_[index].detach();  // not when it is joined already
    start(index);
  });
  try {
    initializer_();
  } catch (const std::exception& error) {
    const std::string why = std::string("the initializer threw: ") + error.what();
    queue_->break_pool(why);
    fail_all(*queue_, PoolBroken(why));
  }
  queue_->serve(index);
  unwound.returned();
}

void AnyThreadPool::cancel_pending() {
  for (const ThreadTaskPtr& task : queue_->drain()) {
    task->give_up();
    task->resolve_cancelled();
    task->run_callbacks();
  }
}

void AnyThreadPool::join() {
  if (!queue_->closed()) {
    throw std::logic_error("join() of a pool that is not closed: close() it first");
  }
  const std::lock_guard hold(joining_);
  // Again: a thread that was unwound has left another one in its place.
  for (;;) {
    std::vector<std::thread> threads;
    {
      const std::lock_guard hold_threads(threads_mutex_);
      for (std::thread& thread : threads_) {
        if (thread.joinable()) threads.push_back(std::move(thread));
      }
    }
    if (threads.empty()) return;
    for (std::thread& thread : threads) thread.join();
  }
}

void AnyThreadPool::terminate() {
  close();
  fail_all(*queue_, PoolTerminated());
  join();
}

}  // namespace pools
