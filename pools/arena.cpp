#include "pools/arena.hpp"

#include <fcntl.h>
#include <sys/mman.h>
#include <sys/stat.h>

#include <algorithm>
#include <iterator>
#include <new>
#include <stdexcept>
#include <string>
#include <system_error>

#include "ipc/mapping.hpp"
#include "ipc/syscall.hpp"

namespace pools {
namespace {

constexpr int seals = F_SEAL_SHRINK | F_SEAL_SEAL;

off_t file_offset(std::uint64_t offset) {
  return static_cast<off_t>(offset);
}

}  // namespace

Arena Arena::create() {
  ipc::Fd fd(ipc::check("memfd_create", [] {
    return ::memfd_create("pool-messages", MFD_CLOEXEC | MFD_ALLOW_SEALING);
  }));
  ipc::check("fcntl(F_ADD_SEALS)", [&] { return ::fcntl(fd.get(), F_ADD_SEALS, seals); });
  return Arena(std::move(fd));
}

Arena::Arena(ipc::Parcel& parcel) : fd_(parcel.take_fd()) {
  const int has = ipc::check("fcntl(F_GET_SEALS)", [&] { return ::fcntl(fd_.get(), F_GET_SEALS); });
  if ((has & F_SEAL_SHRINK) == 0) {
    throw std::runtime_error("an arena refused: it is not sealed, a peer could shrink it");
  }
}

ipc::Buffer Arena::at(const Extent& extent) {
  const auto end = extent.offset + extent.bytes;
  if (end > size_) {
    struct stat status {};
    ipc::check("fstat", [&] { return ::fstat(fd_.get(), &status); });
    size_ = std::min<std::uint64_t>(static_cast<std::uint64_t>(status.st_size), bytes_max);
  }
  if (extent.offset % alignof(BlockHead) != 0 || extent.offset < sizeof(BlockHead) ||
      end < extent.offset || end > size_) {
    throw std::runtime_error("shared memory of " + std::to_string(size_) + " bytes has no " +
                             std::to_string(extent.bytes) + " at " + std::to_string(extent.offset));
  }
  if (!pages_.mapped()) {
    pages_ = ipc::Pages::of_file(fd_, bytes_max, PROT_READ | PROT_WRITE, MAP_SHARED);
    // Most of it has no memory behind it, and would make the dump of a crash endless.
    ::madvise(pages_.data(), pages_.size(), MADV_DONTDUMP);
  }
  return {pages_.data() + extent.offset, extent.bytes};
}

void Arena::reserve(const Extent& extent) {
  ipc::check_available(extent.bytes);
  const int error =
      ::posix_fallocate(fd_.get(), file_offset(extent.offset), file_offset(extent.bytes));
  if (error != 0) {
    ipc::throw_errno("posix_fallocate(" + std::to_string(extent.bytes) + " bytes of an arena)",
                     error);
  }
}

void Arena::discard(const Extent& extent) noexcept {
  ::fallocate(fd_.get(), FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, file_offset(extent.offset),
              file_offset(extent.bytes));
}

Block::~Block() {
  if (!valid()) return;
  owner_->release(offset_ - sizeof(BlockHead), bytes_.size() + sizeof(BlockHead));
}

ArenaOwner::ArenaOwner(Arena arena, std::size_t short_bytes)
    : short_bytes_(short_bytes),
      arena_(std::move(arena)),
      free_{{0, Free{.bytes = Arena::bytes_max, .warm = false}}} {}

Block ArenaOwner::allocate(std::size_t bytes) {
  bool look = false;
  {
    const std::lock_guard hold(mutex_);
    // Each allocation pays for a look at so many lent blocks.
    look = ++since_sweep_ * 16 >= lent_.size();
  }
  if (look) sweep();
  if (bytes > Arena::bytes_max / 2) return {};
  const std::uint64_t wanted =
      (sizeof(BlockHead) + bytes + page_bytes - 1) / page_bytes * page_bytes;
  const std::lock_guard hold(mutex_);
  const auto found = std::find_if(free_.begin(), free_.end(),
                                  [&](const auto& free) { return free.second.bytes >= wanted; });
  if (found == free_.end()) return {};
  const auto [offset, free] = *found;
  Block block;
  try {
    if (!free.warm) arena_.reserve({.offset = offset, .bytes = wanted});
    block.offset_ = offset + sizeof(BlockHead);
    block.bytes_ = arena_.at({.offset = block.offset_, .bytes = wanted - sizeof(BlockHead)});
    if (free.bytes > wanted) {
      free_.emplace(offset + wanted, Free{.bytes = free.bytes - wanted, .warm = free.warm});
    }
  } catch (const std::exception&) {
    arena_.discard({.offset = offset, .bytes = wanted});
    return {};
  }
  free_.erase(found);
  if (free.warm) warm_bytes_ -= wanted;
  new (&Arena::head(block.bytes_)) BlockHead;
  block.owner_ = shared_from_this();
  return block;
}

void ArenaOwner::release(std::uint64_t offset, std::uint64_t bytes) {
  const std::lock_guard hold(mutex_);
  const bool keep = warm_bytes_ + bytes <= kept_bytes;
  if (!keep) arena_.discard({.offset = offset, .bytes = bytes});
  insert_free(offset, {.bytes = bytes, .warm = keep});
}

void ArenaOwner::insert_free(std::uint64_t offset, Free free) {
  if (free.warm) warm_bytes_ += free.bytes;
  const auto after = free_.upper_bound(offset);
  if (after != free_.begin()) {
    auto& [before, room] = *std::prev(after);
    if (before + room.bytes == offset && room.warm == free.warm) {
      offset = before;
      free.bytes += room.bytes;
    }
  }
  if (after != free_.end() && offset + free.bytes == after->first &&
      after->second.warm == free.warm) {
    free.bytes += after->second.bytes;
    free_.erase(after);
  }
  free_.insert_or_assign(offset, free);
}

bool ArenaOwner::lend(Block block) {
  // Whoever learns of the block from the channel finds this there.
  Arena::head(block.bytes_).lent.store(1, std::memory_order_relaxed);
  const std::lock_guard hold(mutex_);
  lent_bytes_ += block.bytes().size();
  lent_.push_back(std::move(block));
  return lent_much();
}

bool ArenaOwner::sweep() {
  returned();  // and released, now that the mutex is free
  const std::lock_guard hold(mutex_);
  return lent_much();
}

std::vector<Block> ArenaOwner::returned() {
  const std::lock_guard hold(mutex_);
  const auto first = std::partition(lent_.begin(), lent_.end(), [](const Block& block) {
    // Partner: ~Loan.
    return Arena::head(block.bytes_).lent.load(std::memory_order_acquire) != 0;
  });
  std::vector<Block> back(std::make_move_iterator(first), std::make_move_iterator(lent_.end()));
  lent_.erase(first, lent_.end());
  for (const Block& block : back) lent_bytes_ -= block.bytes().size();
  since_sweep_ = 0;
  return back;
}

}  // namespace pools
