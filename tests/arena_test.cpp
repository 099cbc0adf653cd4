// Memory for long messages: who has what of it, and when it is free again.
#include "pools/arena.hpp"

#include <sys/mman.h>
#include <sys/stat.h>

#include <algorithm>
#include <cstring>
#include <memory>
#include <optional>
#include <stdexcept>
#include <vector>

#include <gmock/gmock.h>

#include "ipc/syscall.hpp"
#include "pools/writer.hpp"

namespace {

constexpr std::size_t mib = std::size_t{1} << 20;

// An arena as its owner and as a receiver have it.
struct Shared {
  std::shared_ptr<pools::ArenaOwner> owner =
      std::make_shared<pools::ArenaOwner>(pools::Arena::create(), 4096);
  ipc::Parcel parcel = packed();
  ipc::Fd fd = parcel.take_fd();
  std::shared_ptr<pools::Arena> received = receive();

  [[nodiscard]] ipc::Parcel packed() const {
    ipc::Parcel ends;
    owner->arena().pack(ends);
    owner->arena().pack(ends);
    return ends;
  }
  std::shared_ptr<pools::Arena> receive() { return std::make_shared<pools::Arena>(parcel); }

  // Of memory that the arena takes now.
  [[nodiscard]] std::size_t bytes() const {
    struct stat status {};
    ipc::check("fstat", [&] { return ::fstat(fd.get(), &status); });
    return static_cast<std::size_t>(status.st_blocks) * 512;
  }
};

pools::Extent extent_of(const pools::Block& block) {
  return {.offset = block.offset(), .bytes = block.bytes().size()};
}

void fill(const pools::Block& block, unsigned char value) {
  std::memset(block.bytes().data(), value, block.bytes().size());
}

bool holds(ipc::Bytes bytes, unsigned char value) {
  return std::all_of(bytes.begin(), bytes.end(),
                     [&](std::byte byte) { return byte == std::byte{value}; });
}

TEST(Arena, WhatTheOwnerWritesTheReceiverReads) {
  Shared shared;
  std::vector<pools::Block> blocks;
  for (unsigned char i = 0; i < 20; ++i) {
    blocks.push_back(shared.owner->allocate(1000U * i + 1));
    ASSERT_TRUE(blocks.back().valid());
    ASSERT_GE(blocks.back().bytes().size(), 1000U * i + 1);
    fill(blocks.back(), i);
  }
  for (unsigned char i = 0; i < 20; ++i) {
    EXPECT_TRUE(holds(shared.received->at(extent_of(blocks[i])), i)) << "a block overlaps another";
  }
}

TEST(Arena, FreeNeighboursAreOneAgain) {
  Shared shared;
  std::vector<pools::Block> blocks;
  for (int i = 0; i < 5; ++i) blocks.push_back(shared.owner->allocate(mib));
  const auto first = blocks.front().offset();
  for (const std::size_t i : {1, 3, 0, 4, 2}) blocks[i] = pools::Block();
  const auto all = shared.owner->allocate(5 * mib);
  EXPECT_EQ(all.offset(), first);
  EXPECT_LT(shared.bytes(), 6 * mib) << "new memory, while all of the old was free";
}

TEST(Arena, ALentBlockIsTheReceiversUntilItHasReadIt) {
  Shared shared;
  auto block = shared.owner->allocate(mib);
  const auto extent = extent_of(block);
  fill(block, 7);
  shared.owner->lend(std::move(block));
  std::optional<pools::Loan> loan(std::in_place, shared.received, extent);
  for (int i = 0; i < 10; ++i) fill(shared.owner->allocate(mib), 8);
  EXPECT_TRUE(holds(loan->bytes(), 7)) << "written over";
  loan.reset();
  EXPECT_EQ(shared.owner->allocate(mib).offset(), extent.offset) << "not taken back";
}

TEST(Arena, WhatIsLentCountsUntilItIsBack) {
  Shared shared;
  auto block = shared.owner->allocate(65 * mib);
  const auto extent = extent_of(block);
  EXPECT_TRUE(shared.owner->lend(std::move(block)));
  EXPECT_TRUE(shared.owner->sweep());
  pools::Loan(shared.received, extent);
  EXPECT_FALSE(shared.owner->sweep());
  EXPECT_LT(shared.bytes(), mib);
}

TEST(Arena, MuchFreeMemoryIsGivenBack) {
  Shared shared;
  std::vector<pools::Block> blocks;
  for (int i = 0; i < 20; ++i) blocks.push_back(shared.owner->allocate(4 * mib));
  EXPECT_GE(shared.bytes(), 80 * mib);
  blocks.clear();
  EXPECT_LE(shared.bytes(), 65 * mib);
  // And can be had again, as whole as before.
  auto large = shared.owner->allocate(80 * mib);
  ASSERT_TRUE(large.valid());
  fill(large, 9);
  EXPECT_TRUE(holds(shared.received->at(extent_of(large)), 9));
}

TEST(Arena, WhatIsNotInsideIsRefused) {
  Shared shared;
  const auto block = shared.owner->allocate(4096);
  const auto good = extent_of(block);
  EXPECT_NO_THROW((void)shared.received->at(good));
  const auto refused = [&](std::uint64_t offset, std::uint64_t bytes) {
    EXPECT_THROW((void)shared.received->at({.offset = offset, .bytes = bytes}), std::runtime_error)
        << offset << ' ' << bytes;
  };
  refused(0, 16);
  refused(good.offset + 8, 16);
  refused(good.offset, good.bytes + 1);
  refused(good.offset, ~std::uint64_t{0});
  refused(~std::uint64_t{0} - 63, 64);
}

TEST(Arena, MemoryThatCouldShrinkIsRefused) {
  ipc::Parcel parcel;
  parcel.put(ipc::Fd(::memfd_create("unsealed", MFD_CLOEXEC | MFD_ALLOW_SEALING)));
  EXPECT_THROW(pools::Arena{parcel}, std::runtime_error);
}

TEST(Arena, ThereIsNoBlockLargerThanItsAddresses) {
  Shared shared;
  EXPECT_FALSE(shared.owner->allocate(pools::Arena::bytes_max).valid());
  EXPECT_TRUE(shared.owner->allocate(1).valid()) << "and the arena is as good as before";
}

TEST(Writer, MovesToSharedMemoryWhenItIsLong) {
  Shared shared;
  pools::Writer out(32, shared.owner.get());
  std::vector<std::byte> expected(32);
  std::fill_n(out.bytes().begin(), 32, std::byte{0});
  for (unsigned i = 0; i < 10'000; ++i) {
    const auto byte = static_cast<std::byte>(i);
    out.put(&byte, 1);
    expected.push_back(byte);
    ASSERT_EQ(out.block().valid(), out.size() > shared.owner->short_bytes()) << out.size();
  }
  EXPECT_TRUE(std::ranges::equal(out.bytes(), expected));
  const auto before = out.bytes().data();
  const pools::Writer moved = std::move(out);
  EXPECT_EQ(moved.block().bytes().data(), before);
}

TEST(Writer, StaysHereWhenThereIsNoSharedMemory) {
  pools::Writer out;
  const std::vector<char> much(100'000, 'x');
  out.put(much.data(), much.size());
  EXPECT_FALSE(out.block().valid());
  EXPECT_EQ(out.size(), much.size());
}

}  // namespace
