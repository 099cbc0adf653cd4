// What a FIFO adds to a pipe: a name, for a moment.
#include "ipc/channels/fifo.hpp"

#include <fcntl.h>
#include <sys/inotify.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <optional>
#include <string>
#include <system_error>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tests/messages.hpp"
#include "tests/scratch.hpp"

namespace {

namespace fs = std::filesystem;
using ::testing::HasSubstr;
using ::testing::IsEmpty;

constexpr uid_t somebody_else = 65534;

void make_fifo(const fs::path& path, mode_t mode = 0600) {
  ASSERT_EQ(::mkfifo(path.c_str(), 0600), 0);
  ASSERT_EQ(::chmod(path.c_str(), mode), 0);
}

// Tells whether anybody opened the file since it was made.
class OpenWatch {
 public:
  explicit OpenWatch(const fs::path& file)
      : events_(
            ipc::check("inotify_init1", [] { return ::inotify_init1(IN_CLOEXEC | IN_NONBLOCK); })) {
    ipc::check("inotify_add_watch",
               [&] { return ::inotify_add_watch(events_.get(), file.c_str(), IN_OPEN); });
  }
  [[nodiscard]] bool was_opened() const {
    return ipc::poll(events_.get(), POLLIN, ipc::Deadline::now());
  }

 private:
  ipc::Fd events_;
};

// TMPDIR, set to a folder for as long as this lives.
class TemporaryFolder {
 public:
  explicit TemporaryFolder(const fs::path& folder) {
    if (const char* before = std::getenv("TMPDIR")) before_ = before;
    ::setenv("TMPDIR", folder.c_str(), 1);
  }
  TemporaryFolder(const TemporaryFolder&) = delete;
  TemporaryFolder& operator=(const TemporaryFolder&) = delete;
  ~TemporaryFolder() {
    if (before_) {
      ::setenv("TMPDIR", before_->c_str(), 1);
    } else {
      ::unsetenv("TMPDIR");
    }
  }

 private:
  std::optional<std::string> before_;
};

TEST(Fifo, KeepsNoName) {
  const Scratch scratch;
  const TemporaryFolder folder(scratch.path());
  auto ends = ipc::Fifo::open({});
  EXPECT_THAT(scratch.names(), IsEmpty());
  tests::send_number(ends.first, 1, 100);
  tests::expect_number(ends.second, 1, 100);
}

TEST(Fifo, KeepsNoNameWhenDescriptorsRunOut) {
  const Scratch scratch;
  const TemporaryFolder folder(scratch.path());
  rlimit limit{};  // few do: what all processes have together is limited too
  ASSERT_EQ(::getrlimit(RLIMIT_NOFILE, &limit), 0);
  rlimit few = limit;
  few.rlim_cur = std::min<rlim_t>(limit.rlim_cur, 256);
  ASSERT_EQ(::setrlimit(RLIMIT_NOFILE, &few), 0);
  std::vector<ipc::Fd> all;
  while (true) {
    ipc::Fd next(::open("/dev/null", O_RDONLY | O_CLOEXEC));
    if (!next.valid()) break;
    all.push_back(std::move(next));
  }
  for (int left = 0; left < 3; ++left) {
    EXPECT_THROW(ipc::Fifo::open({}), std::system_error) << left << " descriptors were left";
    all.pop_back();
  }
  all.clear();
  ::setrlimit(RLIMIT_NOFILE, &limit);
  EXPECT_THAT(scratch.names(), IsEmpty());
}

TEST(Fifo, ANameThatIsTakenIsRefusedAndNeverOpened) {
  const Scratch scratch;
  const fs::path file = scratch.path() / "file";
  std::ofstream(file) << "somebody's";
  const fs::path fifo = scratch.path() / "fifo";
  make_fifo(fifo);
  const fs::path link = scratch.path() / "link";
  fs::create_symlink(scratch.path() / "nowhere", link);
  const OpenWatch file_watch(file);
  const OpenWatch fifo_watch(fifo);
  for (const fs::path& taken : {file, fifo, link}) {
    try {
      ipc::Fifo::create(taken);
      ADD_FAILURE() << taken << " was taken over";
    } catch (const std::system_error& error) {
      EXPECT_EQ(error.code().value(), EEXIST);
      EXPECT_THAT(error.what(), HasSubstr(taken.string()));
    }
  }
  EXPECT_FALSE(file_watch.was_opened());
  EXPECT_FALSE(fifo_watch.was_opened());
  EXPECT_THAT(scratch.names(), testing::ElementsAre("fifo", "file", "link"));
}

TEST(Fifo, WhatTookThePlaceOfItsNameIsRefusedAndNeverOpened) {
  const Scratch scratch;
  const fs::path file = scratch.path() / "file";
  std::ofstream(file) << "somebody's";
  const fs::path open_to_all = scratch.path() / "open_to_all";
  make_fifo(open_to_all, 0666);
  const OpenWatch file_watch(file);
  const OpenWatch fifo_watch(open_to_all);
  for (const fs::path& wrong : {file, open_to_all}) {
    EXPECT_THROW(ipc::Fifo::take(wrong), std::runtime_error) << wrong;
  }
  const fs::path fifo = scratch.path() / "fifo";
  make_fifo(fifo);
  const fs::path link = scratch.path() / "link";
  fs::create_symlink(fifo, link);
  EXPECT_THROW(ipc::Fifo::take(link), std::runtime_error);
  EXPECT_FALSE(file_watch.was_opened());
  EXPECT_FALSE(fifo_watch.was_opened());
  EXPECT_THAT(scratch.names(), testing::ElementsAre("fifo", "file", "link", "open_to_all"));
  ipc::Fifo::take(fifo);  // as a check of the check: this one is right
}

TEST(Fifo, OfAnotherUserIsRefusedAndNeverOpened) {
  const Scratch scratch;
  const fs::path fifo = scratch.path() / "fifo";
  make_fifo(fifo);
  if (::chown(fifo.c_str(), somebody_else, somebody_else) != 0) {
    GTEST_SKIP() << "only root can make a file another user's";
  }
  const OpenWatch watch(fifo);
  EXPECT_THROW(ipc::Fifo::take(fifo), std::runtime_error);
  EXPECT_FALSE(watch.was_opened());
}

TEST(Fifo, AFolderThatIsNotThereIsNamed) {
  try {
    ipc::Fifo::create("/nowhere/fifo");
    ADD_FAILURE() << "a FIFO nowhere";
  } catch (const std::system_error& error) {
    EXPECT_THAT(error.what(), HasSubstr("/nowhere/fifo"));
  }
}

}  // namespace
