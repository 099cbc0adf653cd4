// Shared memory that grows: a message that is long lies here, and the channel says where.
//
//   sender:    ArenaOwner::allocate() gives a Block, which is encoded straight into
//   channel:   its Extent
//   receiver:  Arena::at() says where that is in its own process, and is decoded straight from
//
// Both sides have the arena since the worker was started: what grows later is the file behind it, a
// memfd (memfd_create(2)), so nothing is handed over any more. It is sealed against shrinking
// (fcntl(2), F_SEAL_SHRINK): memory that was there once cannot turn into SIGBUS.
#pragma once

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <map>
#include <memory>
#include <mutex>
#include <utility>
#include <vector>

#include "ipc/channel.hpp"
#include "ipc/fd.hpp"
#include "ipc/pages.hpp"
#include "ipc/parcel.hpp"

namespace pools {

// A part of an arena.
struct Extent {
  std::uint64_t offset = 0;
  std::uint64_t bytes = 0;
};

// In front of every block.
struct alignas(64) BlockHead {
  // Set by the owner before it tells the receiver of the block; cleared by the receiver when it
  // has read what it wants.
  std::atomic<std::uint32_t> lent{0};
};

// One process's view. Belongs to one thread at a time.
class Arena {
 public:
  // Of address space; memory is taken only by what was written. Longer messages are cut.
  static constexpr std::size_t bytes_max = std::size_t{64} << 30;

  // Throws std::system_error.
  static Arena create();
  // Throws std::runtime_error when it is not sealed.
  explicit Arena(ipc::Parcel& parcel);
  void pack(ipc::Parcel& parcel) const { parcel.put(fd_.duplicate()); }

  // Where the block's bytes are; its head is in front of them. Maps the arena when it is used for
  // the first time. Throws std::runtime_error for an extent that is not inside, std::system_error
  // when there is no address space.
  [[nodiscard]] ipc::Buffer at(const Extent& extent);
  [[nodiscard]] static BlockHead& head(ipc::Buffer block) {
    return *reinterpret_cast<BlockHead*>(block.data() - sizeof(BlockHead));
  }

  // Both for the owner. Pages for a part, so that full memory is an error here and not a signal
  // later: std::system_error.
  void reserve(const Extent& extent);
  // Gives the pages back. What is read there afterwards is zero.
  void discard(const Extent& extent) noexcept;

 private:
  explicit Arena(ipc::Fd fd) : fd_(std::move(fd)) {}

  ipc::Fd fd_;
  ipc::Pages pages_;        // bytes_max, most of them beyond the end of the file
  std::uint64_t size_ = 0;  // of the file, at least
};

class ArenaOwner;

// A part of an arena that its owner writes to. Its memory is the arena's again when it ends.
class Block {
 public:
  Block() = default;
  Block(Block&& other) noexcept { swap(other); }
  Block& operator=(Block&& other) noexcept {
    swap(other);
    return *this;
  }
  ~Block();

  [[nodiscard]] bool valid() const { return owner_ != nullptr; }
  [[nodiscard]] ipc::Buffer bytes() const { return bytes_; }
  [[nodiscard]] std::uint64_t offset() const { return offset_; }

 private:
  friend ArenaOwner;

  void swap(Block& other) noexcept {
    owner_.swap(other.owner_);
    std::swap(offset_, other.offset_);
    std::swap(bytes_, other.bytes_);
  }

  std::shared_ptr<ArenaOwner> owner_;
  std::uint64_t offset_ = 0;
  ipc::Buffer bytes_;
};

// Who has what of an arena: known to one process alone, so that no other can harm it by its death.
// All members may be called from any thread at any time. They block for system calls only.
class ArenaOwner : public std::enable_shared_from_this<ArenaOwner> {
 public:
  // Messages of up to so many bytes are short, and do not belong here.
  ArenaOwner(Arena arena, std::size_t short_bytes);

  [[nodiscard]] std::size_t short_bytes() const { return short_bytes_; }
  [[nodiscard]] const Arena& arena() const { return arena_; }

  // At least so many bytes; more where that costs nothing. Not valid when there is no memory.
  [[nodiscard]] Block allocate(std::size_t bytes);

  // Leaves a block to the receiver, until that clears its head. Both return true while receivers
  // have so much that it is worth to look, now and then, for what they have read.
  bool lend(Block block);
  bool sweep();

 private:
  friend Block;

  // Free memory of so many bytes keeps its pages: to have new ones costs more than to copy.
  static constexpr std::uint64_t kept_bytes = std::uint64_t{64} << 20;
  static constexpr std::uint64_t page_bytes = 4096;

  struct Free {
    std::uint64_t bytes;
    bool warm;  // has pages
  };
  using FreeByOffset = std::map<std::uint64_t, Free>;

  // Neighbours are joined when both have pages, or neither has.
  void release(std::uint64_t offset, std::uint64_t bytes);
  void insert_free(std::uint64_t offset, Free free);
  std::vector<Block> returned();
  [[nodiscard]] bool lent_much() const { return lent_bytes_ > kept_bytes; }

  const std::size_t short_bytes_;
  std::mutex mutex_;
  Arena arena_;
  FreeByOffset free_;
  std::uint64_t warm_bytes_ = 0;  // free ones
  std::vector<Block> lent_;
  std::uint64_t lent_bytes_ = 0;
  std::size_t since_sweep_ = 0;  // allocations
};

// A block of another process that this one reads. The other has it back when this ends.
class Loan {
 public:
  Loan() = default;
  // Throws as Arena::at does.
  Loan(std::shared_ptr<Arena> arena, const Extent& extent)
      : arena_(std::move(arena)), bytes_(arena_->at(extent)) {}
  Loan(Loan&& other) noexcept { *this = std::move(other); }
  Loan& operator=(Loan&& other) noexcept {
    arena_.swap(other.arena_);
    std::swap(bytes_, other.bytes_);
    return *this;
  }
  ~Loan() {
    // Partner: ArenaOwner::returned. What was read is read before it is written over.
    if (arena_ != nullptr) Arena::head(bytes_).lent.store(0, std::memory_order_release);
  }

  [[nodiscard]] bool valid() const { return arena_ != nullptr; }
  [[nodiscard]] ipc::Bytes bytes() const { return bytes_; }

 private:
  std::shared_ptr<Arena> arena_;
  ipc::Buffer bytes_;
};

}  // namespace pools
