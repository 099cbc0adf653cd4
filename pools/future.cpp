#include "pools/future.hpp"

namespace pools {

Phase AnyFuture::state() const {
  require_valid();
  if (engine_->running(*state_)) return Phase::running;
  return state_->phase();
}

bool AnyFuture::cancel() {
  require_valid();
  return state_->ready() ? cancelled() : engine_->cancel(*state_);
}

bool AnyFuture::cancelled() const {
  require_valid();
  return state_->phase() == Phase::cancelled;
}

std::exception_ptr AnyFuture::error() const {
  wait();
  return state_->error();
}

void AnyFuture::on_done(std::function<void()> callback) {
  require_valid();
  state_->on_ready(std::move(callback));
  if (!state_->ready()) engine_->attend();
}

}  // namespace pools
