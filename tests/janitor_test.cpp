// The janitor removes what dead owners left, and nothing else.
#include "ipc/janitor.hpp"

#include <sys/syscall.h>
#include <unistd.h>

#include <atomic>
#include <chrono>
#include <cstdio>
#include <filesystem>
#include <fstream>
#include <new>
#include <random>
#include <string>
#include <thread>
#include <vector>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "ipc/channels/pipe.hpp"
#include "ipc/mapping.hpp"
#include "tests/command_line.hpp"
#include "tests/named_fixture.hpp"

namespace {

namespace fs = std::filesystem;
using ::testing::AllOf;
using ::testing::ElementsAre;
using ::testing::Field;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::SizeIs;
using ::testing::UnorderedElementsAre;
using namespace std::chrono_literals;

const ipc::AnyChannel& pipe_channel() {
  static constexpr ipc::AnyChannel channel = ipc::any_channel<ipc::Pipe>();
  return channel;
}

auto removed(const std::string& entry, const std::string& why) {
  return AllOf(Field(&ipc::Swept::entry, entry), Field(&ipc::Swept::removed, true),
               Field(&ipc::Swept::why, HasSubstr(why)));
}
auto left(const std::string& entry, const std::string& why) {
  return AllOf(Field(&ipc::Swept::entry, entry), Field(&ipc::Swept::removed, false),
               Field(&ipc::Swept::why, HasSubstr(why)));
}

class JanitorTest : public testing::Test, public tests::NamedFolderFixture {
 protected:
  std::vector<ipc::Swept> sweep() const { return ipc::sweep(folder()); }
};

TEST_F(JanitorTest, RemovesWhatAKilledOwnerLeftAndNothingOfALivingOne) {
  leave_entry(pipe_channel(), "dead");
  ASSERT_THAT(entries(), SizeIs(1));
  const std::string dead = entries().front();
  const auto other = start_owner(pipe_channel(), "alive");
  const ipc::Published ours(pipe_channel(), "ours", {}, folder());
  const ipc::NamedEntry theirs = *ipc::NamedEntry::parse(entries().front());
  ASSERT_EQ(theirs.name, "alive");
  const std::string who = "process " + std::to_string(other.pid());
  EXPECT_THAT(sweep(), UnorderedElementsAre(removed(dead, "is dead"),
                                            left(theirs.text(), who + ", is alive"),
                                            left(ours.entry(), "is alive")));
  EXPECT_THAT(entries(), UnorderedElementsAre(theirs.text(), ours.entry()));
}

TEST_F(JanitorTest, FindsNothingWhereNothingIs) {
  EXPECT_THAT(sweep(), IsEmpty());
  EXPECT_FALSE(fs::exists(folder()));
}

// Nobody has waited for it yet: its number is still taken, by nobody.
TEST_F(JanitorTest, AZombieIsDead) {
  auto owner = start_owner(pipe_channel(), "x");
  owner.kill(SIGKILL);
  ipc::poll(owner.pidfd().get(), POLLIN, ipc::Deadline::never());
  EXPECT_THAT(sweep(), ElementsAre(Field(&ipc::Swept::removed, true)));
}

// proc(5) shows such a process as a zombie.
TEST_F(JanitorTest, AProcessThatHasLostItsFirstThreadIsAlive) {
  const ipc::Process owner([&] {
    std::thread([&] {
      const ipc::Published published(pipe_channel(), "x", {}, folder());
      std::this_thread::sleep_for(1h);
    }).detach();
    return static_cast<int>(::syscall(SYS_exit, 0));
  });
  const std::string status = "/proc/" + std::to_string(owner.pid()) + "/status";
  tests::wait_until([&] { return ::read(status).find("State:\tZ") != std::string::npos; });
  tests::wait_until([&] { return !entries().empty(); });
  EXPECT_THAT(sweep(), ElementsAre(Field(&ipc::Swept::why, HasSubstr("is alive"))));
}

TEST_F(JanitorTest, APidThatIsSomebodyElsesByNowSavesNothing) {
  const ipc::NamedEntry ours{"ours", ipc::Owner::self()};
  ipc::NamedEntry before = ours;
  before.name = "before";
  --before.owner.start_ticks;
  const auto first = plant(ours);
  const auto second = plant(before);
  EXPECT_THAT(sweep(), UnorderedElementsAre(left(ours.text(), "is alive"),
                                            removed(before.text(), "is dead")));
  EXPECT_THAT(entries(), ElementsAre(ours.text()));
}

// A number of one namespace says nothing in another.
TEST_F(JanitorTest, WhoCannotBeSeenIsLeft) {
  ipc::NamedEntry entry{"x", ipc::Owner::self()};
  --entry.owner.start_ticks;
  ++entry.owner.pid_namespace;
  const auto socket = plant(entry);
  EXPECT_THAT(sweep(), ElementsAre(left(entry.text(), "cannot be seen from here")));
  EXPECT_THAT(entries(), ElementsAre(entry.text()));
}

TEST_F(JanitorTest, WhatIsNotASocketIsLeft) {
  make_folder();
  ipc::NamedEntry entry{"x", ipc::Owner::self()};
  --entry.owner.start_ticks;
  const auto file = entry.text();
  std::ofstream(folder() / file) << "content";
  entry.name = "y";
  const auto link = entry.text();
  fs::create_symlink(file, folder() / link);
  std::ofstream(folder() / "notes.txt") << "content";
  EXPECT_THAT(sweep(), UnorderedElementsAre(left(file, "not a socket"), left(link, "not a socket"),
                                            left("notes.txt", "its name")));
  EXPECT_THAT(entries(), UnorderedElementsAre(file, link, "notes.txt"));
}

TEST_F(JanitorTest, OfACreatorKilledAtAnyMomentNothingIsLeftAfterwards) {
  const auto memory = ipc::Mapping::create(sizeof(std::atomic<int>));
  auto& published_once = *new (memory.data()) std::atomic<int>(0);
  std::minstd_rand random(3);
  int found = 0;
  for (int round = 0; round < 100; ++round) {
    ipc::Process owner([&] {
      for (;; published_once = round + 1) {
        const ipc::Published published(pipe_channel(), "x", {}, folder());
      }
      return 0;
    });
    tests::wait_until([&] { return published_once == round + 1; });
    std::this_thread::sleep_for(std::chrono::microseconds(random() % 3000));
    owner.kill(SIGKILL);
    owner.join();
    EXPECT_LE(entries().size(), 1U);
    found += static_cast<int>(entries().size());
    sweep();
    ASSERT_THAT(entries(), IsEmpty()) << "round " << round;
  }
  EXPECT_GT(found, 0) << "no creator was killed while it had an entry";
}

TEST_F(JanitorTest, ACreatorNeverLosesItsEntryToASweep) {
  ipc::Process owner([&] {
    for (int round = 0; round < 300; ++round) {
      const ipc::Published published(pipe_channel(), "x", {}, folder());
      std::this_thread::sleep_for(100us);
      tests::require(fs::exists(folder() / published.entry()), "the entry is gone");
    }
    return 0;
  });
  std::optional<ipc::ExitStatus> status;
  while (!status) {
    for (const auto& each : sweep()) EXPECT_FALSE(each.removed) << each.entry << each.why;
    status = owner.join(ipc::Deadline::now());
  }
  EXPECT_EQ(status->text(), "exited with code 0");
}

// The output is that of both streams.
command_line::Outcome janitor(const std::string& arguments) {
  return command_line::sh(PROJECT_BINARY_DIR "/ipc/ipc-janitor " + arguments + " 2>&1");
}

TEST_F(JanitorTest, TheProgramTellsWhatItRemovesAndRemovesIt) {
  leave_entry(pipe_channel(), "dead");
  const std::string dead = entries().front();
  const ipc::Published ours(pipe_channel(), "ours", {}, folder());
  const auto dry = janitor("--dry-run " + folder().string());
  EXPECT_EQ(dry.code, 0);
  EXPECT_THAT(dry.output, AllOf(HasSubstr("would remove " + dead + ": its owner, process "),
                                HasSubstr("left " + ours.entry() + ": its owner, process ")));
  EXPECT_THAT(entries(), SizeIs(2));
  const auto wet = janitor(folder().string());
  EXPECT_EQ(wet.code, 0);
  EXPECT_THAT(wet.output, HasSubstr("removed " + dead + ": its owner, process "));
  EXPECT_THAT(entries(), ElementsAre(ours.entry()));
}

TEST_F(JanitorTest, TheProgramGoesToTheUsersFolder) {
  const auto runtime = folder().parent_path();
  ASSERT_EQ(::setenv("XDG_RUNTIME_DIR", runtime.c_str(), 1), 0);
  const ipc::Published ours(pipe_channel(), "ours");
  EXPECT_THAT(janitor("").output, HasSubstr("left " + ours.entry()));
  EXPECT_TRUE(fs::exists(runtime / ("ipc-compare." + std::to_string(::geteuid())) / ours.entry()));
}

TEST_F(JanitorTest, TheProgramSaysHowItIsUsedAndWhatIsWrong) {
  EXPECT_EQ(janitor("--help").code, 0);
  EXPECT_THAT(janitor("--help").output, HasSubstr("usage: ipc-janitor [--dry-run] [FOLDER]"));
  EXPECT_EQ(janitor("--force").code, 2);
  EXPECT_EQ(janitor("one two").code, 2);
  make_folder(0755);
  const auto refused = janitor(folder().string());
  EXPECT_EQ(refused.code, 1);
  EXPECT_THAT(refused.output, HasSubstr("refused"));
}

}  // namespace
