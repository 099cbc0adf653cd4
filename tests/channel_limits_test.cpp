// What a channel does where a file system is full and at the limits of the kernel: an error that
// names them, never a signal. The deadlock guard is the time limit of ctest.
#include <sched.h>
#include <sys/mount.h>
#include <sys/resource.h>
#include <unistd.h>

#include <algorithm>
#include <exception>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <string>
#include <string_view>
#include <vector>

#include <gtest/gtest.h>

#include "ipc/process.hpp"
#include "ipc/sysctl.hpp"
#include "tests/channel_cases.hpp"
#include "tests/messages.hpp"

namespace {

using ipc::Deadline;
using ipc::Outcome;
using tests::require;
namespace fs = std::filesystem;

constexpr ipc::Options handed_over{
    .message_bytes = 1000, .capacity = {.bytes = 16 << 10, .messages = 8}, .handed_over = true};

class ChannelLimitTest : public testing::TestWithParam<ipc::AnyChannel> {
 protected:
  [[nodiscard]] static const ipc::AnyChannel& channel() { return GetParam(); }
};

INSTANTIATE_TEST_SUITE_P(Every, ChannelLimitTest,
                         testing::ValuesIn(tests::between_processes(ipc::all_channels())),
                         [](const auto& each) { return tests::case_name(each.param.name); });

// Code of a process that may not do what its test needs.
constexpr int not_permitted = 77;

// Names come from /dev/shm, files from the folder for temporary files: here both are too small.
TEST_P(ChannelLimitTest, AFullFileSystemIsAnErrorAndNotASignal) {
  ipc::Process lab([] {
    const std::string temporary = fs::temp_directory_path();
    if (::unshare(CLONE_NEWNS) != 0 ||
        ::mount("none", "/", nullptr, MS_REC | MS_PRIVATE, nullptr) != 0 ||
        ::mount("none", "/dev/shm", "tmpfs", 0, "size=64k") != 0 ||
        ::mount("none", temporary.c_str(), "tmpfs", 0, "size=64k") != 0) {
      return not_permitted;
    }
    try {
      auto ends =
          channel().open({.message_bytes = 4096, .capacity = {.bytes = 1 << 20, .messages = 256}});
      std::vector<std::byte> buffer(4096);
      for (int turn = 0; turn < 3; ++turn) {
        while (ends.first.send(tests::message(0, 4096), Deadline::now()) == Outcome::done) {
        }
        while (ends.second.receive(buffer, Deadline::now()).outcome == Outcome::done) {
        }
      }
    } catch (const std::system_error& error) {
      require(error.code() == std::errc::no_space_on_device, error.what());
    } catch (const std::invalid_argument& error) {
      require(channel().traits.message_bytes_max < 4096, error.what());
    }
    return 0;
  });
  const auto status = lab.join();
  if (status->code == not_permitted) GTEST_SKIP() << "no mounts of its own are permitted here";
  EXPECT_TRUE(status->success()) << status->text();
}

std::size_t open_descriptors() {
  const auto fds = fs::directory_iterator("/proc/self/fd");
  return static_cast<std::size_t>(std::distance(begin(fds), end(fds)));
}

// Open is cut off at each of its descriptors in turn.
TEST_P(ChannelLimitTest, WithoutDescriptorsItSaysSoAndGivesBackThoseItHad) {
  ipc::Process lab([] {
    const std::size_t before = open_descriptors();
    rlimit limit{};
    ::getrlimit(RLIMIT_NOFILE, &limit);
    for (rlim_t more = 0; more < 64; ++more) {
      rlimit lowered = limit;
      lowered.rlim_cur = static_cast<rlim_t>(ipc::Fd(::dup(STDERR_FILENO)).get()) + more;
      ::setrlimit(RLIMIT_NOFILE, &lowered);
      std::exception_ptr refusal;
      try {
        auto ends = channel().open(handed_over);
      } catch (...) {
        refusal = std::current_exception();  // to look into it, UBSan needs descriptors itself
      }
      ::setrlimit(RLIMIT_NOFILE, &limit);
      require(open_descriptors() == before, "a descriptor was lost");
      if (refusal == nullptr) {
        require(more > 0, "a channel without descriptors?");
        return 0;
      }
      try {
        std::rethrow_exception(refusal);
      } catch (const std::system_error& error) {
        require(error.code() == std::errc::too_many_files_open, error.what());
        const std::string text = error.what();
        require(text.find("RLIMIT_NOFILE at ") != std::string::npos, text);
      }
    }
    throw std::runtime_error("64 descriptors do not do");
  });
  const auto status = lab.join();
  EXPECT_TRUE(status->success()) << status->text();
}

// A limit of the kernel, lowered in a namespace of its own, and the channel that meets it.
struct Limit {
  std::string_view channel;
  std::string sysctl;
  std::string value;
  std::string named;  // what the error has to say
};

void PrintTo(const Limit& limit, std::ostream* out) {  // NOLINT: the name is GoogleTest's
  *out << limit.sysctl << " = " << limit.value;
}

class KernelLimitTest : public testing::TestWithParam<Limit> {};

INSTANTIATE_TEST_SUITE_P(
    Every, KernelLimitTest,
    testing::Values(Limit{"posix_queue", "fs.mqueue.msgsize_max", "128",
                          "fs.mqueue.msgsize_max is 128"},
                    Limit{"posix_queue", "fs.mqueue.queues_max", "0", "fs.mqueue.queues_max is 0"},
                    Limit{"sysv_queue", "kernel.msgmax", "500", "kernel.msgmax is 500"},
                    Limit{"sysv_queue", "kernel.msgmni", "0", "kernel.msgmni is 0"},
                    Limit{"sysv_shm", "kernel.shmmax", "4096", "kernel.shmmax is 4096"},
                    Limit{"sysv_shm", "kernel.shmall", "1", "kernel.shmall 1 pages"},
                    Limit{"sysv_shm", "kernel.shmmni", "0", "kernel.shmmni 0"},
                    Limit{"sysv_shm", "kernel.sem", "250 32000 500 0",
                          "kernel.sem (SEMMSL SEMMNS SEMOPM "
                          "SEMMNI) is 250 32000 500 0"},
                    Limit{"sysv_shm", "kernel.sem", "2 32000 500 128", "is 2 32000 500 128"}),
    [](const auto& each) { return tests::case_name(each.param.sysctl + "_" + each.param.value); });

const ipc::AnyChannel& channel_named(std::string_view name) {
  const auto all = ipc::all_channels();
  return *std::find_if(all.begin(), all.end(),
                       [&](const ipc::AnyChannel& each) { return each.name == name; });
}

constexpr uid_t nobody = 65534;  // without the privilege to pass the limits

// The refusal must name `text`.
int expect_refusal(const ipc::AnyChannel& channel, const std::string& text) {
  try {
    auto ends = channel.open(handed_over);
  } catch (const std::exception& error) {
    require(std::string(error.what()).find(text) != std::string::npos, error.what());
    return 0;
  }
  throw std::runtime_error("it was opened");
}

TEST_P(KernelLimitTest, IsNamedWithItsValue) {
  ipc::Process lab([] {
    std::string path = "/proc/sys/" + GetParam().sysctl;
    std::replace(path.begin() + 10, path.end(), '.', '/');
    if (::unshare(CLONE_NEWIPC) != 0 || !(std::ofstream(path) << GetParam().value).flush() ||
        ipc::sysctl(GetParam().sysctl) != GetParam().value || ::setresuid(nobody, nobody, nobody)) {
      return not_permitted;
    }
    return expect_refusal(channel_named(GetParam().channel), GetParam().named);
  });
  const auto status = lab.join();
  if (status->code == not_permitted) {
    GTEST_SKIP() << GetParam().sysctl << " cannot be lowered here";
  }
  EXPECT_TRUE(status->success()) << status->text();
}

TEST(KernelLimit, OfTheBytesInPosixQueuesIsNamedWithItsValue) {
  ipc::Process lab([] {
    const rlimit none{};
    ipc::check("setrlimit", [&] { return ::setrlimit(RLIMIT_MSGQUEUE, &none); });
    return expect_refusal(channel_named("posix_queue"), "0 bytes (RLIMIT_MSGQUEUE)");
  });
  EXPECT_EQ(lab.join()->text(), "exited with code 0");
}

// The kernel cuts these short without an error: capacity() says what there is.
TEST(KernelLimit, OfThePipeIsToldAsItsCapacity) {
  ipc::Process lab([] {
    const std::size_t most = ipc::sysctl("fs.pipe-max-size", 0);
    if (most == 0 || ::setresuid(nobody, nobody, nobody) != 0) return not_permitted;
    const auto ends = channel_named("pipe").open({.capacity = {.bytes = 2 * most, .messages = 1}});
    require(ends.first.capacity().bytes <= most,
            "it says " + std::to_string(ends.first.capacity().bytes) + " bytes");
    return 0;
  });
  const auto status = lab.join();
  if (status->code == not_permitted) GTEST_SKIP() << "it may have pipes of any size";
  EXPECT_TRUE(status->success()) << status->text();
}

}  // namespace
