// What a channel does with memory that is damaged, of another program, cut short, or that could
// shrink: over every channel that shares memory.
#include <fcntl.h>
#include <sys/mman.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <chrono>
#include <csignal>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <random>
#include <sstream>
#include <string>
#include <string_view>
#include <vector>

#include <gtest/gtest.h>

#include "ipc/layout.hpp"
#include "ipc/parcel.hpp"
#include "ipc/process.hpp"
#include "tests/channel_cases.hpp"
#include "tests/messages.hpp"

namespace {

using ipc::Deadline;
using tests::require;
using namespace std::chrono_literals;
namespace fs = std::filesystem;

constexpr std::size_t message_bytes = 1000;
constexpr ipc::Options handed_over{.message_bytes = message_bytes,
                                   .capacity = {.bytes = 16 << 10, .messages = 8},
                                   .handed_over = true};

// The memory that this process shares, each mapping once.
struct SharedMemory {
  std::uintptr_t at;
  std::size_t size;
  bool of_boost;  // it has a name, and begins with what Boost keeps about it

  [[nodiscard]] ipc::Buffer bytes() const { return {reinterpret_cast<std::byte*>(at), size}; }
  [[nodiscard]] bool holds(ipc::Buffer part) const {
    const auto from = reinterpret_cast<std::uintptr_t>(part.data());
    return from >= at && from + part.size() <= at + size;
  }
  friend bool operator==(const SharedMemory&, const SharedMemory&) = default;
};

std::vector<SharedMemory> shared_memory() {
  std::vector<SharedMemory> found;
  std::ifstream maps("/proc/self/maps");
  for (std::string line; std::getline(maps, line);) {
    std::uintptr_t from = 0;
    std::uintptr_t to = 0;
    char dash = 0;
    std::string rights;
    std::istringstream(line) >> std::hex >> from >> dash >> to >> rights;
    if (rights != "rw-s") continue;
    found.push_back({from, to - from, line.find("/dev/shm/") != std::string::npos});
  }
  return found;
}

// The memory that a channel shares, as long as its ends live.
struct Opened {
  std::vector<SharedMemory> before = shared_memory();
  std::pair<ipc::AnySender, ipc::AnyReceiver> ends;
  std::vector<SharedMemory> memory = shared_memory();

  explicit Opened(const ipc::AnyChannel& channel) : ends(channel.open(handed_over)) {
    std::erase_if(memory, [&](const SharedMemory& each) {
      return std::find(before.begin(), before.end(), each) != before.end();
    });
  }

  // The stamps at the start of the headers in that memory.
  [[nodiscard]] std::vector<ipc::Layout*> stamps() const {
    std::vector<ipc::Layout*> found;
    for (const SharedMemory& each : memory) {
      for (std::size_t at = 0; at + sizeof(ipc::Layout) <= each.size; at += 8) {
        auto* const stamp = reinterpret_cast<ipc::Layout*>(each.bytes().data() + at);
        if (stamp->magic == ipc::Layout::our_magic) found.push_back(stamp);
      }
    }
    return found;
  }

  // What is ours to look after: all of it, but of Boost's memory only what it gave to us.
  [[nodiscard]] std::vector<ipc::Buffer> ours() const {
    std::vector<ipc::Buffer> found;
    for (const SharedMemory& each : memory) {
      if (!each.of_boost) found.push_back(each.bytes());
    }
    for (ipc::Layout* stamp : stamps()) {
      const ipc::Buffer block(reinterpret_cast<std::byte*>(stamp), handed_over.capacity.bytes);
      for (const SharedMemory& each : memory) {
        if (each.of_boost && each.holds(block)) found.push_back(block);
      }
    }
    return found;
  }
};

class ChannelHostilityTest : public testing::TestWithParam<ipc::AnyChannel> {
 protected:
  [[nodiscard]] static const ipc::AnyChannel& channel() { return GetParam(); }
  // As they come: their lock is a semaphore, or a condition variable of glibc or Boost, that hangs
  // or aborts over what a peer wrote.
  [[nodiscard]] static bool as_found() { return !channel().traits.waiter_may_be_killed; }
};

INSTANTIATE_TEST_SUITE_P(Every, ChannelHostilityTest,
                         testing::ValuesIn(tests::between_processes(ipc::all_channels())),
                         [](const auto& each) { return tests::case_name(each.param.name); });

// Both ends, used and handed on, in every way that has a deadline. Whatever they say is right.
void use(const ipc::AnyChannel& channel, Opened& opened) {
  // Longer than any message: a length that a peer made up must be found out by the channel.
  std::vector<std::byte> buffer(2 * message_bytes);
  const auto exchange = [&](ipc::AnySender& sender, ipc::AnyReceiver& receiver) {
    for (const Deadline deadline : {Deadline::now(), Deadline::in(1ms)}) {
      for (const std::size_t size : {std::size_t{40}, message_bytes}) {
        try {
          static_cast<void>(sender.send(tests::message(0, size), deadline));
        } catch (const std::exception&) {
        }
        ipc::Received received{};
        try {
          received = receiver.receive(buffer, deadline);
        } catch (const std::exception&) {
        }
        require(received.size <= message_bytes, "a message is longer than any that was sent");
      }
    }
  };
  exchange(opened.ends.first, opened.ends.second);
  try {
    ipc::Parcel parcel;
    std::move(opened.ends.first).pack(parcel);
    std::move(opened.ends.second).pack(parcel);
    auto sender = channel.unpack_sender(parcel);
    auto receiver = channel.unpack_receiver(parcel);
    exchange(sender, receiver);
  } catch (const std::exception&) {
  }
}

// One word of the memory is not what it was; then both ends are used, by a process of their own.
TEST_P(ChannelHostilityTest, DamagedMemoryIsAnErrorAndNeverACrash) {
  {
    const Opened opened(channel());
    if (opened.ours().empty()) GTEST_SKIP() << channel().name << " shares no memory";
  }
  constexpr std::size_t header_words = 128;  // each of them, then places anywhere
  std::mt19937 random(20250607);
  // The last is a length that is impossible by one.
  const std::array words{~0U, static_cast<std::uint32_t>(random()),
                         std::uint32_t{message_bytes + 1}};
  int hung = 0;
  for (std::size_t round = 0; round < words.size() * header_words + 64 && hung < 8; ++round) {
    const std::uint32_t word = words.at(round % words.size());
    const std::size_t anywhere = random();
    ipc::Process victim([&] {
      Opened opened(channel());
      for (std::uint64_t i = 0; i < 4; ++i) {
        tests::send_number(opened.ends.first, i, i % 2 == 0 ? 40 : message_bytes,
                           Deadline::in(10s));
      }
      for (const ipc::Buffer each : opened.ours()) {
        const std::size_t count = each.size() / sizeof word;
        const std::size_t at =
            round < words.size() * header_words ? round / words.size() : anywhere;
        std::memcpy(each.data() + at % count * sizeof word, &word, sizeof word);
      }
      use(channel(), opened);
      return 0;
    });
    auto status = victim.join(Deadline::in(as_found() ? 500ms : 60s));
    if (!status) {
      ASSERT_TRUE(as_found()) << "it hangs in round " << round;
      ++hung;
      continue;
    }
    if (as_found() && status->signal == SIGABRT) continue;
    ASSERT_TRUE(status->success()) << "in round " << round << " it " << status->text();
  }
}

TEST_P(ChannelHostilityTest, AnotherLayoutIsRefusedAndNamed) {
  const auto refusal = [&](auto change) -> std::string {
    Opened opened(channel());
    for (ipc::Layout* stamp : opened.stamps()) change(*stamp);
    ipc::Parcel parcel;
    std::move(opened.ends.first).pack(parcel);
    try {
      static_cast<void>(channel().unpack_sender(parcel));
      return "it was accepted";
    } catch (const std::runtime_error& error) {
      return error.what();
    }
  };
  {
    const Opened opened(channel());
    if (opened.memory.empty()) GTEST_SKIP() << channel().name << " shares no memory";
    ASSERT_FALSE(opened.stamps().empty()) << "memory that does not say what it holds";
  }
  EXPECT_EQ(refusal([](ipc::Layout& stamp) { stamp.version = 0; }),
            "shared memory has layout version 0, this program has " +
                std::to_string(ipc::Layout::our_version) +
                "; use the same version of the program on both sides");
  EXPECT_EQ(refusal([](ipc::Layout& stamp) { ++stamp.magic; }),
            "shared memory is damaged: it does not begin with the mark of this program");
  const std::string other = refusal([](ipc::Layout& stamp) { stamp.kind = {'o', 't', 'h'}; });
  EXPECT_NE(other.find("holds \"oth\" where \""), std::string::npos) << other;
}

// What a process that is handed an end gets.
struct Parts {
  std::vector<ipc::Fd> fds;
  std::vector<std::byte> bytes;

  explicit Parts(ipc::Parcel parcel) {
    until_empty([&] { fds.push_back(parcel.take_fd()); });
    until_empty([&] { bytes.push_back(parcel.take<std::byte>()); });
  }

  template <class Take>
  static void until_empty(Take take) {
    try {
      for (;;) take();
    } catch (const std::runtime_error&) {  // it holds no more
    }
  }

  [[nodiscard]] ipc::Parcel parcel() && {
    ipc::Parcel parcel;
    for (ipc::Fd& fd : fds) parcel.put(std::move(fd));
    for (const std::byte byte : bytes) parcel.put(byte);
    return parcel;
  }
};

bool is_memfd(const ipc::Fd& fd) {
  return fs::read_symlink("/proc/self/fd/" + std::to_string(fd.get()))
      .string()
      .starts_with("/memfd:");
}
std::size_t size_of(const ipc::Fd& fd) {
  return fs::file_size("/proc/self/fd/" + std::to_string(fd.get()));
}

// The first bytes of a memory, as a peer could hand them on.
ipc::Fd copy_of(const ipc::Fd& memory, std::size_t bytes, int seals) {
  ipc::Fd copy(::memfd_create("copy", MFD_CLOEXEC | MFD_ALLOW_SEALING));
  std::vector<char> content(bytes);
  ipc::check("pread", [&] { return ::pread(memory.get(), content.data(), bytes, 0); });
  ipc::check("write", [&] { return ::write(copy.get(), content.data(), bytes); });
  ipc::check("fcntl", [&] { return ::fcntl(copy.get(), F_ADD_SEALS, seals); });
  return copy;
}

// A sender, since there are channels whose receiver has no part in the memory.
class HandedOver {
 public:
  explicit HandedOver(const ipc::AnyChannel& channel)
      : channel_(channel), ends_(channel.open(handed_over)), parts_(packed(ends_.first)) {
    memory_ = std::find_if(parts_.fds.begin(), parts_.fds.end(), is_memfd);
  }

  [[nodiscard]] bool has_memory() const { return memory_ != parts_.fds.end(); }
  [[nodiscard]] const ipc::Fd& memory() const { return *memory_; }
  void replace_memory(ipc::Fd other) { *memory_ = std::move(other); }

  // What the process that gets it says.
  std::string unpack() {
    auto parcel = std::move(parts_).parcel();
    try {
      static_cast<void>(channel_.unpack_sender(parcel));
      return "it was accepted";
    } catch (const std::runtime_error& error) {
      return error.what();
    }
  }

 private:
  static Parts packed(ipc::AnySender& sender) {
    ipc::Parcel parcel;
    std::move(sender).pack(parcel);
    return Parts(std::move(parcel));
  }

  const ipc::AnyChannel& channel_;
  std::pair<ipc::AnySender, ipc::AnyReceiver> ends_;
  Parts parts_;
  std::vector<ipc::Fd>::iterator memory_;
};

TEST_P(ChannelHostilityTest, APeerCannotShrinkTheMemoryNorGrowIt) {
  const HandedOver end(channel());
  if (!end.has_memory())
    GTEST_SKIP() << channel().name << " is handed over without memory whose size can be sealed";
  const std::size_t size = size_of(end.memory());
  for (const std::size_t other : {std::size_t{0}, size - 1, size + 1}) {
    EXPECT_EQ(::ftruncate(end.memory().get(), static_cast<off_t>(other)), -1) << other;
    EXPECT_EQ(errno, EPERM);
  }
}

TEST_P(ChannelHostilityTest, MemoryThatCouldShrinkIsRefused) {
  for (const int seals : {0, F_SEAL_SHRINK, F_SEAL_GROW | F_SEAL_SEAL}) {
    HandedOver end(channel());
    if (!end.has_memory())
      GTEST_SKIP() << channel().name << " is handed over without memory whose size can be sealed";
    end.replace_memory(copy_of(end.memory(), size_of(end.memory()), seals));
    EXPECT_EQ(end.unpack(),
              "shared memory refused: its size is not sealed, a peer could shrink it");
  }
}

TEST_P(ChannelHostilityTest, MemoryThatIsCutShortIsRefused) {
  constexpr int sealed = F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_SEAL;
  for (const int part : {0, 1, 2}) {
    HandedOver end(channel());
    if (!end.has_memory())
      GTEST_SKIP() << channel().name << " is handed over without memory whose size can be sealed";
    // Half a stamp; a stamp and nothing else; all but the place of the longest message.
    const std::size_t size = size_of(end.memory());
    const std::array left{std::min<std::size_t>(size / 2, 8),
                          std::min(size - 1, sizeof(ipc::Layout)),
                          size > message_bytes ? message_bytes / 2 : size - 1};
    end.replace_memory(copy_of(end.memory(), left.at(static_cast<std::size_t>(part)), sealed));
    EXPECT_NE(end.unpack(), "it was accepted") << left.at(static_cast<std::size_t>(part));
  }
}

TEST_P(ChannelHostilityTest, ADescriptorThatIsNoMemoryIsRefused) {
  HandedOver end(channel());
  if (!end.has_memory())
    GTEST_SKIP() << channel().name << " is handed over without memory whose size can be sealed";
  std::array<int, 2> pipe{};
  ASSERT_EQ(::pipe(pipe.data()), 0);
  const ipc::Fd other(pipe[1]);
  end.replace_memory(ipc::Fd(pipe[0]));
  EXPECT_NE(end.unpack(), "it was accepted");
}

}  // namespace
