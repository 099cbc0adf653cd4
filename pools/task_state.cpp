#include "pools/task_state.hpp"

#include <cstdio>
#include <iterator>

#include "pools/errors.hpp"

namespace pools {
namespace {

// A callback has nobody to throw to.
void call(const std::function<void()>& callback) {
  try {
    callback();
  } catch (const std::exception& error) {
    std::fprintf(stderr, "pools: a callback of a future threw: %s\n", error.what());
  } catch (...) {
    std::fprintf(stderr, "pools: a callback of a future threw what is no std::exception\n");
  }
}

}  // namespace

void TaskState::resolve_cancelled() {
  resolve(std::make_exception_ptr(Cancelled()), Phase::cancelled);
}

TaskState::CallbackId TaskState::on_ready(std::function<void()> callback) {
  CallbackId id = 0;
  {
    const std::lock_guard hold(callbacks_mutex_);
    id = ++last_id_;
    callbacks_.push_back({id, std::move(callback)});
  }
  listened_.store(true, std::memory_order_seq_cst);  // partner: run_callbacks()
  if (phase_.load(std::memory_order_seq_cst) >= Phase::done) call_back();
  return id;
}

void TaskState::forget(CallbackId callback) {
  std::vector<Callback> forgotten;  // destroyed without the lock: it may own futures
  const std::lock_guard hold(callbacks_mutex_);
  for (auto each = callbacks_.begin(); each != callbacks_.end(); ++each) {
    if (each->id != callback) continue;
    forgotten.push_back(std::move(*each));
    callbacks_.erase(each);
    return;
  }
}

void TaskState::call_back() {
  std::vector<Callback> callbacks;
  {
    const std::lock_guard hold(callbacks_mutex_);
    callbacks.swap(callbacks_);
  }
  for (const Callback& each : callbacks) call(each.call);
}

}  // namespace pools
