#include "pools/writer.hpp"

#include <algorithm>

namespace pools {
namespace {

constexpr std::size_t first_bytes = 256;  // most messages are so short, and are allocated once

}  // namespace

Writer::Writer(std::size_t prefix_bytes, ArenaOwner* shared)
    : own_(new std::byte[prefix_bytes + first_bytes]),  // nothing is read before it is written
      shared_(shared),
      data_(own_.get()),
      prefix_(prefix_bytes),
      size_(prefix_bytes),
      capacity_(prefix_bytes + first_bytes) {}

void Writer::grow(std::size_t needed) {
  // What follows a long part is most often short.
  std::size_t wanted = std::max(needed + first_bytes, 2 * capacity_);
  if (shared_ != nullptr && needed > shared_->short_bytes()) {
    if (Block block = shared_->allocate(wanted); block.valid()) {
      std::memcpy(block.bytes().data(), data_, size_);
      block_ = std::move(block);
      own_.reset();
      data_ = block_.bytes().data();
      capacity_ = block_.bytes().size();
      return;
    }
    shared_ = nullptr;
  }
  if (shared_ != nullptr) wanted = std::clamp(shared_->short_bytes(), needed, wanted);
  std::unique_ptr<std::byte[]> larger(new std::byte[wanted]);
  std::memcpy(larger.get(), data_, size_);
  own_ = std::move(larger);
  block_ = Block();
  data_ = own_.get();
  capacity_ = wanted;
}

}  // namespace pools
