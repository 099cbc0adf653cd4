// Channels that unrelated processes find by name: over every channel that crosses processes. The
// deadlock guard is the time limit of ctest.
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <chrono>
#include <filesystem>
#include <optional>
#include <string>
#include <vector>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "ipc/channels/pipe.hpp"
#include "ipc/channels/sysv_queue.hpp"
#include "tests/channel_cases.hpp"
#include "tests/messages.hpp"
#include "tests/named_fixture.hpp"

namespace {

using ipc::Arity;
using ipc::Deadline;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::SizeIs;
using tests::attach_when_published;
using tests::expect_closed;
using tests::expect_number;
using tests::failure_of;
using tests::send_number;
using tests::wait_until;
using namespace std::chrono_literals;

constexpr std::size_t small_bytes = 48;
constexpr std::uint64_t count = 100;

class EveryNamedTest : public testing::TestWithParam<ipc::AnyChannel>,
                       public tests::NamedFolderFixture {
 protected:
  [[nodiscard]] static const ipc::AnyChannel& channel() { return GetParam(); }

  // Forked before the channel is made: they inherit nothing of it.
  template <class Main>
  ipc::Process sender(Main main) {
    return ipc::Process([&] {
      auto end = attach_when_published(
          [&] { return ipc::attach_sender(channel(), "x", Deadline::never(), options()); });
      main(end);
      return 0;
    });
  }
  template <class Main>
  ipc::Process receiver(Main main) {
    return ipc::Process([&] {
      auto end = attach_when_published(
          [&] { return ipc::attach_receiver(channel(), "x", Deadline::never(), options()); });
      main(end);
      return 0;
    });
  }
  [[nodiscard]] ipc::AttachOptions options() const { return {.folder = folder()}; }
};

INSTANTIATE_TEST_SUITE_P(Every, EveryNamedTest,
                         testing::ValuesIn(tests::between_processes(ipc::all_channels())),
                         [](const auto& each) { return tests::case_name(each.param.name); });

TEST_P(EveryNamedTest, StrangersMeetAndGoOnWithoutTheOneWhoIntroducedThem) {
  auto from = sender([&](auto& end) {
    wait_until([&] { return entries().empty(); });
    for (std::uint64_t i = 0; i < count; ++i) send_number(end, i, small_bytes);
  });
  auto to = receiver([&](auto& end) {
    for (std::uint64_t i = 0; i < count; ++i) expect_number(end, i, small_bytes);
    expect_closed(end);
  });
  {
    ipc::Published published(channel(), "x", {}, folder());
    EXPECT_THAT(entries(), ElementsAre(published.entry()));
    EXPECT_TRUE(published.serve(Deadline::never()));
    EXPECT_TRUE(published.serve(Deadline::never()));
  }
  EXPECT_EQ(from.join()->text(), "exited with code 0");
  EXPECT_EQ(to.join()->text(), "exited with code 0");
}

TEST_P(EveryNamedTest, TheCreatorTakesAnEndAndTheSecondWhoAsksGetsACloneOrARefusal) {
  auto first = sender([](auto& end) {
    for (std::uint64_t i = 0; i < count; ++i) send_number(end, i, small_bytes);
  });
  std::optional<ipc::AnyReceiver> receiver;
  {
    ipc::Published published(channel(), "x", {}, folder());
    receiver = published.take_receiver();
    EXPECT_TRUE(published.serve(Deadline::never()));
    ipc::Process second([&] {
      return failure_of([&] { ipc::attach_sender(channel(), "x", Deadline::never(), options()); })
          .error;
    });
    int handed_out = 0;
    std::optional<ipc::ExitStatus> status;
    while (!status) {
      if (published.serve(Deadline::in(1ms))) ++handed_out;
      status = second.join(Deadline::now());
    }
    const bool many = channel().traits.senders == Arity::many;
    EXPECT_EQ(status->code, many ? 0 : EBUSY);
    EXPECT_EQ(handed_out, many ? 1 : 0);
  }
  for (std::uint64_t i = 0; i < count; ++i) expect_number(*receiver, i, small_bytes);
  expect_closed(*receiver);
  EXPECT_EQ(first.join()->text(), "exited with code 0");
}

// Who asks and leaves before the answer takes nothing with it.
TEST_P(EveryNamedTest, AnEndIsNotLostToOneWhoLeft) {
  ipc::Published published(channel(), "x", {}, folder());
  const auto early =
      failure_of([&] { ipc::attach_sender(channel(), "x", Deadline::now(), options()); });
  EXPECT_EQ(early.error, ETIMEDOUT) << early.text;
  EXPECT_FALSE(published.serve(Deadline::now()));
  auto receiver = published.take_receiver();
  auto from = sender([](auto& end) { send_number(end, 1, small_bytes); });
  EXPECT_TRUE(published.serve(Deadline::never()));
  expect_number(receiver, 1, small_bytes);
  EXPECT_EQ(from.join()->text(), "exited with code 0");
}

class NamedTest : public testing::Test, public tests::NamedFolderFixture {};

// Known when the program is compiled, the ends are the mechanism's own.
TEST_F(NamedTest, EndsAreTheMechanismsOwn) {
  using Ticks = ipc::Named<ipc::Pipe>;
  auto ticks = Ticks::create("ticks", {}, folder());
  ipc::Pipe::Sender sender = ticks.take_sender();
  ipc::Process reader([&] {
    ipc::Pipe::Receiver receiver =
        Ticks::attach_receiver("ticks", Deadline::never(), {.folder = folder()});
    expect_number(receiver, 7, small_bytes);
    return 0;
  });
  EXPECT_TRUE(ticks.serve(Deadline::never()));
  send_number(sender, 7, small_bytes);
  EXPECT_EQ(reader.join()->text(), "exited with code 0");
  EXPECT_EQ(failure_of([&] { ticks.take_sender(); }).error, EBUSY);
  EXPECT_EQ(failure_of([&] { ticks.take_receiver(); }).error, EBUSY);
}

TEST_F(NamedTest, TraitsSayWhatIsLeftAndWhoMayAttach) {
  EXPECT_EQ(ipc::Named<ipc::Pipe>::traits.outlives_crash,
            "its entry, until ipc-janitor removes it");
  EXPECT_EQ(ipc::Named<ipc::SysvQueue>::traits.outlives_crash,
            "the queue, if its guardian is killed too; its entry, until ipc-janitor removes it");
  EXPECT_EQ(ipc::Named<ipc::Pipe>::traits.opened_by, "processes of its user");
}

TEST_F(NamedTest, FolderAndEntryAreForTheUserAlone) {
  const mode_t before = ::umask(0);
  const auto published = ipc::Named<ipc::Pipe>::create("x", {}, folder());
  ::umask(before);
  struct stat status {};
  ASSERT_EQ(::stat(folder().c_str(), &status), 0);
  EXPECT_EQ(status.st_mode, S_IFDIR | 0700U);
  ASSERT_EQ(::stat((folder() / published.entry()).c_str(), &status), 0);
  EXPECT_EQ(status.st_mode, S_IFSOCK | 0600U);
}

TEST_F(NamedTest, TheNameGoesWithItsCreator) {
  {
    auto first = ipc::Named<ipc::Pipe>::create("x", {}, folder());
    EXPECT_THAT(first.entry(), HasSubstr("x." + std::to_string(::getpid()) + "."));
    const auto second = ipc::Named<ipc::Pipe>::create("y", {}, folder());
    EXPECT_THAT(entries(), SizeIs(2));
    { const auto gone = std::move(first); }
    EXPECT_THAT(entries(), ElementsAre(second.entry()));
  }
  EXPECT_THAT(entries(), IsEmpty());
  const auto again = ipc::Named<ipc::Pipe>::create("x", {}, folder());
  EXPECT_THAT(entries(), ElementsAre(again.entry()));
}

TEST_F(NamedTest, AMechanismBetweenThreadsIsRefused) {
  auto channel = ipc::any_channel<ipc::Pipe>();
  channel.traits.crosses_processes = false;
  EXPECT_THROW(ipc::Published(channel, "x", {}, folder()), ipc::NotSupported);
}

TEST_F(NamedTest, AForkedChildWithdrawsNothing) {
  std::optional<ipc::Published> published;
  published.emplace(ipc::any_channel<ipc::Pipe>(), "x", ipc::Options{}, folder());
  ipc::Process child([&] {
    published.reset();
    return 0;
  });
  EXPECT_EQ(child.join()->text(), "exited with code 0");
  EXPECT_THAT(entries(), ElementsAre(published->entry()));
}

TEST_F(NamedTest, TheLongestNameFitsWhateverTheFoldersPath) {
  const auto deep = folder() / std::string(200, 'd');
  std::filesystem::create_directories(deep.parent_path());
  const std::string name(ipc::NamedEntry::name_characters_max, 'n');
  const tests::Server server(ipc::Named<ipc::Pipe>::create(name, {}, deep));
  auto sender = ipc::Named<ipc::Pipe>::attach_sender(name, Deadline::never(), {.folder = deep});
  EXPECT_GT(sender.capacity().bytes, 0U);
}

TEST_F(NamedTest, OneWhoConnectsAndStallsKeepsNobodyWaiting) {
  ipc::Published published(ipc::any_channel<ipc::Pipe>(), "x", {}, folder());
  const auto there = ipc::NamedFolder::make(folder());
  const sockaddr_un address = there.address_of(*ipc::NamedEntry::parse(published.entry()));
  const ipc::Fd silent(::socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0));
  ASSERT_EQ(::connect(silent.get(), reinterpret_cast<const sockaddr*>(&address), sizeof address),
            0);
  const tests::Server server(std::move(published));
  EXPECT_NO_THROW(
      ipc::Named<ipc::Pipe>::attach_sender("x", Deadline::never(), {.folder = folder()}));
}

TEST_F(NamedTest, OfTwoCreatorsAtOnceExactlyOneWins) {
  constexpr int creators = 4;
  for (int round = 0; round < 25; ++round) {
    std::array<int, 2> start{};
    ASSERT_EQ(::pipe2(start.data(), O_CLOEXEC), 0);
    ipc::Fd read(start[0]);
    ipc::Fd write(start[1]);
    std::array<int, 2> done{};
    ASSERT_EQ(::pipe2(done.data(), O_CLOEXEC), 0);
    ipc::Fd done_read(done[0]);
    ipc::Fd done_write(done[1]);
    std::vector<ipc::Process> all;
    for (int i = 0; i < creators; ++i) {
      all.emplace_back([&] {
        write.reset();
        ipc::poll(read.get(), 0, Deadline::never());  // until the writer is gone
        std::optional<ipc::Published> published;
        const auto failure = failure_of([&] {
          published.emplace(ipc::any_channel<ipc::Pipe>(), "x", ipc::Options{}, folder());
        });
        // The winner stays until everybody has tried.
        done_write.reset();
        ipc::poll(done_read.get(), 0, Deadline::never());
        return failure.error;
      });
    }
    done_write.reset();
    write.reset();
    std::vector<int> codes;
    for (auto& creator : all) codes.push_back(creator.join()->code);
    std::sort(codes.begin(), codes.end());
    EXPECT_THAT(codes, ElementsAre(0, EADDRINUSE, EADDRINUSE, EADDRINUSE)) << "round " << round;
    EXPECT_THAT(entries(), IsEmpty());
  }
}

}  // namespace
