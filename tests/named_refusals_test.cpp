// What named channels refuse: names, folders, entries, peers and versions that are not as they
// should be. Each refusal names what was found and what to do.
#include <fcntl.h>
#include <sys/socket.h>
#include <unistd.h>

#include <array>
#include <chrono>
#include <filesystem>
#include <fstream>
#include <functional>
#include <optional>
#include <stdexcept>
#include <string>
#include <thread>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "ipc/channels/pipe.hpp"
#include "ipc/channels/unix_stream.hpp"
#include "tests/named_fixture.hpp"

namespace {

namespace fs = std::filesystem;
using ipc::Deadline;
using ::testing::AllOf;
using ::testing::ElementsAre;
using ::testing::Field;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using tests::Failure;
using tests::failure_of;
using namespace std::chrono_literals;

using Named = ipc::Named<ipc::Pipe>;

auto fails_with(int error, const std::string& text) {
  return AllOf(Field(&Failure::error, error), Field(&Failure::text, HasSubstr(text)));
}
std::string process(pid_t pid) {
  return "process " + std::to_string(pid);
}
std::string this_process() {
  return process(::getpid());
}

class NamedRefusals : public testing::Test, public tests::NamedFolderFixture {
 protected:
  [[nodiscard]] Failure attach(Deadline deadline = Deadline::never(),
                               std::size_t message_bytes = 1) const {
    return failure_of([&] {
      Named::attach_sender("x", deadline, {.message_bytes = message_bytes, .folder = folder()});
    });
  }
  [[nodiscard]] Failure create() const {
    return failure_of([&] { Named::create("x", {}, folder()); });
  }
  // What an attacher says when the owner answers with this.
  [[nodiscard]] Failure attach_to_owner_who_answers(const ipc::Parcel& answer) const {
    const ipc::NamedEntry entry{"x", ipc::Owner::self()};
    const ipc::Fd listener = plant(entry);
    std::jthread owner([&] {
      const ipc::Fd asker(::accept4(listener.get(), nullptr, nullptr, SOCK_CLOEXEC));
      ipc::Parcel::receive(asker);
      answer.send(asker);
    });
    auto failure = attach();
    owner.join();
    fs::remove(folder() / entry.text());
    return failure;
  }
  // What the owner answers to one who says this; nothing when it hangs up.
  [[nodiscard]] static std::optional<ipc::Parcel> ask(const fs::path& folder,
                                                      const ipc::Parcel& question) {
    const auto there = ipc::NamedFolder::make(folder);
    const auto entry = ipc::NamedEntry::parse(there.names().front());
    const sockaddr_un address = there.address_of(*entry);
    const ipc::Fd socket(::socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0));
    ipc::check("connect", [&] {
      return ::connect(socket.get(), reinterpret_cast<const sockaddr*>(&address), sizeof address);
    });
    question.send(socket);
    return ipc::Parcel::receive(socket);
  }
};

TEST_F(NamedRefusals, NamesThatCannotBe) {
  for (const std::string& name :
       {std::string(), std::string(33, 'n'), std::string("a/b"), std::string(".."),
        std::string("a.b"), std::string("a b"), std::string("a\n"), std::string("a\0b", 3)}) {
    EXPECT_THROW(Named::create(name, {}, folder()), std::invalid_argument) << name;
    EXPECT_THROW(Named::attach_sender(name, Deadline::now(), {.folder = folder()}),
                 std::invalid_argument)
        << name;
  }
  EXPECT_FALSE(fs::exists(folder()));
  try {
    Named::create(std::string(33, 'n'), {}, folder());
  } catch (const std::invalid_argument& error) {
    EXPECT_THAT(error.what(), AllOf(HasSubstr("33 characters"), HasSubstr("32 at most"),
                                    HasSubstr("108 bytes of sun_path"), HasSubstr("shorter")));
  }
}

TEST_F(NamedRefusals, ANameThatIsNotThere) {
  EXPECT_THAT(attach(), fails_with(ENOENT, "no such name; publish it first"));
  EXPECT_FALSE(fs::exists(folder()));
  const auto other = Named::create("y", {}, folder());
  EXPECT_THAT(attach(), fails_with(ENOENT, "\"x\" in " + folder().string()));
}

TEST_F(NamedRefusals, ANameThatIsTaken) {
  {
    const auto ours = Named::create("x", {}, folder());
    EXPECT_THAT(create(),
                fails_with(EADDRINUSE, "taken by " + this_process() + ", which is alive"));
    EXPECT_THAT(entries(), ElementsAre(ours.entry()));
  }
  const auto other = start_owner(ipc::any_channel<ipc::Pipe>(), "x");
  EXPECT_THAT(create(),
              fails_with(EADDRINUSE, "taken by " + process(other.pid()) + ", which is alive"));
}

TEST_F(NamedRefusals, ANameThatIsTakenInAnotherPidNamespace) {
  ipc::NamedEntry entry{"x", ipc::Owner::self()};
  ++entry.owner.pid_namespace;
  const auto socket = plant(entry);
  EXPECT_THAT(create(), fails_with(EADDRINUSE, "which cannot be seen from here"));
  EXPECT_THAT(entries(), ElementsAre(entry.text()));
}

TEST_F(NamedRefusals, AnOwnerThatIsDead) {
  leave_entry(ipc::any_channel<ipc::Pipe>(), "x");
  const auto left = ipc::NamedEntry::parse(entries().front());
  EXPECT_THAT(attach(), fails_with(ESRCH, process(left->owner.pid) + ", is dead"));
  // Its successor takes the name and leaves one entry, not two.
  const auto again = Named::create("x", {}, folder());
  EXPECT_THAT(entries(), ElementsAre(again.entry()));
}

// A child that the owner forked has a copy of the socket, so that the kernel hangs up on nobody.
TEST_F(NamedRefusals, AnOwnerThatDiesBeforeItAnswers) {
  std::array<int, 2> fds{};
  ASSERT_EQ(::pipe2(fds.data(), O_CLOEXEC), 0);
  const ipc::Fd end_of_test(fds[0]);
  ipc::Fd test(fds[1]);
  ipc::Process owner([&] {
    test.reset();
    const auto published = Named::create("x", {}, folder());
    if (::fork() == 0) {  // outlives its parent, unlike a Process
      ipc::poll(end_of_test.get(), 0, Deadline::never());
      ::_exit(0);
    }
    std::this_thread::sleep_for(1h);
    return 0;
  });
  tests::wait_until([&] { return !entries().empty(); });
  std::jthread killer([&] {
    std::this_thread::sleep_for(50ms);
    owner.kill(SIGKILL);
  });
  EXPECT_THAT(attach(), fails_with(ESRCH, "is dead"));
}

TEST_F(NamedRefusals, AnOwnerThatDoesNotServe) {
  const auto published = Named::create("x", {}, folder());
  EXPECT_THAT(attach(Deadline::in(10ms)), fails_with(ETIMEDOUT, "it has to call serve()"));
  EXPECT_THAT(attach(Deadline::now()), fails_with(ETIMEDOUT, this_process() + " did not answer"));
}

TEST_F(NamedRefusals, MoreAskersThanASocketKeepsWaitUntilTheirDeadline) {
  const auto listener = plant({"x", ipc::Owner::self()});
  for (int i = 0; i < 8 + 4; ++i) EXPECT_EQ(attach(Deadline::now()).error, ETIMEDOUT) << i;
}

TEST_F(NamedRefusals, AnEndThatIsTaken) {
  auto published = Named::create("x", {}, folder());
  auto sender = published.take_sender();
  const tests::Server server(std::move(published));
  EXPECT_THAT(attach(), fails_with(EBUSY, "has one sender, and it is taken"));
  EXPECT_NO_THROW(Named::attach_receiver("x", Deadline::never(), {.folder = folder()}));
}

TEST_F(NamedRefusals, AnotherChannelThanWasMeant) {
  const tests::Server server(ipc::Named<ipc::UnixStream>::create("x", {}, folder()));
  EXPECT_THAT(attach(), fails_with(EPROTOTYPE, "a channel of unix_stream, not of pipe"));
}

TEST_F(NamedRefusals, MessagesThatAreTooShort) {
  const tests::Server server(Named::create("x", {.message_bytes = 1000}, folder()));
  EXPECT_THAT(attach(Deadline::never(), 1001),
              fails_with(EMSGSIZE, "messages of 1000 bytes, we need 1001"));
  EXPECT_THAT(attach(Deadline::never(), 1000), fails_with(0, ""));
}

TEST_F(NamedRefusals, AnOwnerOfAnotherLayout) {
  ipc::NamedGreeting theirs;
  theirs.layout -= 1;
  ipc::Parcel older;
  older.put(theirs);
  EXPECT_THAT(attach_to_owner_who_answers(older),
              fails_with(EPROTO, "has layout 0, we have layout 1; build the former anew"));
  theirs.layout += 2;
  ipc::Parcel newer;
  newer.put(theirs);
  EXPECT_THAT(attach_to_owner_who_answers(newer),
              fails_with(EPROTO, "has layout 2, we have layout 1; build the latter anew"));
}

TEST_F(NamedRefusals, AnswersThatAreNone) {
  ipc::Parcel empty;
  empty.put('x');
  EXPECT_THAT(attach_to_owner_who_answers(empty), fails_with(EPROTO, "cut short"));
  ipc::Parcel half;
  half.put(ipc::NamedGreeting{});
  EXPECT_THAT(attach_to_owner_who_answers(half), fails_with(EPROTO, "cut short"));
  ipc::Parcel foreign;
  foreign.put(std::array<char, 100>{'H', 'T', 'T', 'P'});
  EXPECT_THAT(attach_to_owner_who_answers(foreign), fails_with(EPROTO, "does not speak"));
  ipc::Parcel unknown;
  ipc::NamedOffer{static_cast<ipc::Verdict>(99), 4096, ipc::ChannelName("pipe")}.pack(unknown);
  EXPECT_THAT(attach_to_owner_who_answers(unknown), fails_with(EPROTO, "of no known kind"));
  // It says that an end follows, and none does.
  ipc::Parcel bare;
  ipc::NamedOffer{ipc::Verdict::granted, 4096, ipc::ChannelName("pipe")}.pack(bare);
  EXPECT_THROW((void)attach_to_owner_who_answers(bare), std::runtime_error);
}

TEST_F(NamedRefusals, QuestionsThatAreNone) {
  const tests::Server server(Named::create("x", {}, folder()));
  ipc::Parcel empty;
  empty.put('x');
  EXPECT_FALSE(ask(folder(), empty));
  ipc::Parcel neither;
  ipc::NamedRequest{static_cast<ipc::Side>(99), 1, ipc::ChannelName("pipe")}.pack(neither);
  EXPECT_FALSE(ask(folder(), neither));
  // One of another layout is told ours, to say what is the matter.
  ipc::NamedGreeting theirs;
  theirs.layout += 1;
  ipc::Parcel newer;
  newer.put(theirs);
  auto answer = ask(folder(), newer);
  ASSERT_TRUE(answer);
  EXPECT_EQ(answer->take<ipc::NamedGreeting>(), ipc::NamedGreeting{});
  // All that took no end away.
  EXPECT_THAT(attach(), fails_with(0, ""));
}

TEST_F(NamedRefusals, AFolderThatIsALink) {
  const auto elsewhere = folder().parent_path() / "elsewhere";
  fs::create_directory(elsewhere);
  fs::permissions(elsewhere, fs::perms::owner_all);
  fs::create_directory_symlink(elsewhere, folder());
  EXPECT_THAT(create(), fails_with(ELOOP, folder().string() + " refused: it is a symbolic link"));
  EXPECT_THAT(attach(), fails_with(ELOOP, "it is a symbolic link"));
  EXPECT_TRUE(fs::is_empty(elsewhere));
  // One that leads nowhere is not followed to make a folder there.
  fs::remove(elsewhere);
  EXPECT_THAT(create(), fails_with(ELOOP, "it is a symbolic link"));
  EXPECT_FALSE(fs::exists(elsewhere));
}

TEST_F(NamedRefusals, AFolderThatIsAFile) {
  std::ofstream(folder()) << "content";
  EXPECT_THAT(create(), fails_with(ENOTDIR, "it is not a folder"));
  EXPECT_EQ(::read(folder()), "content");
}

TEST_F(NamedRefusals, AFolderThatOthersMayEnter) {
  for (const unsigned mode : {0755U, 0701U, 0770U, 0500U}) {
    make_folder(mode);
    EXPECT_THAT(create(), fails_with(EPERM, "chmod 0700")) << mode;
    EXPECT_THAT(attach(), fails_with(EPERM, "chmod 0700")) << mode;
    EXPECT_THAT(entries(), IsEmpty());
  }
}

constexpr uid_t nobody = 65534;

// Runs `main` as another user; its result, or nothing when we may not become somebody else.
std::optional<int> as_another_user(const std::function<int()>& main) {
  if (::geteuid() != 0) return std::nullopt;
  ipc::Process child([&] {
    ipc::check("setresuid", [] { return ::setresuid(nobody, nobody, nobody); });
    return main();
  });
  return child.join()->code;
}

TEST_F(NamedRefusals, AFolderOfAnotherUser) {
  make_folder();
  fs::permissions(folder().parent_path(), fs::perms{0711});
  const auto code = as_another_user([&] {
    const Failure created = create();
    const Failure attached = attach();
    EXPECT_THAT(created, fails_with(EPERM, "belongs to user 0, we are user 65534"));
    EXPECT_THAT(attached, fails_with(EPERM, "belongs to user 0, we are user 65534"));
    return testing::Test::HasFailure() ? 1 : 0;
  });
  if (!code) GTEST_SKIP() << "only root can become another user";
  EXPECT_EQ(*code, 0);
}

// Even when the folder's permissions were opened behind our back.
TEST_F(NamedRefusals, AnAskerWhoIsAnotherUser) {
  auto published = Named::create("x", {}, folder());
  const auto entry = *ipc::NamedEntry::parse(published.entry());
  fs::permissions(folder().parent_path(), fs::perms{0711});
  fs::permissions(folder(), fs::perms{0711});
  fs::permissions(folder() / entry.text(), fs::perms{0666});
  const tests::Server server(std::move(published));
  const auto code = as_another_user([&] {
    const ipc::Fd socket(::socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0));
    sockaddr_un address{};
    address.sun_family = AF_UNIX;
    (folder() / entry.text()).string().copy(address.sun_path, sizeof address.sun_path - 1);
    ipc::check("connect", [&] {
      return ::connect(socket.get(), reinterpret_cast<const sockaddr*>(&address), sizeof address);
    });
    ipc::Parcel question;
    ipc::NamedRequest{ipc::Side::sender, 1, ipc::ChannelName("pipe")}.pack(question);
    question.send(socket);
    return ipc::Parcel::receive(socket) ? 1 : 0;
  });
  if (!code) GTEST_SKIP() << "only root can become another user";
  EXPECT_EQ(*code, 0);
}

TEST_F(NamedRefusals, AnEntryThatIsNotASocket) {
  make_folder();
  const auto real = Named::create("y", {}, folder());
  const ipc::NamedEntry entry{"x", ipc::Owner::self()};
  fs::create_symlink(real.entry(), folder() / entry.text());
  EXPECT_THAT(attach(), fails_with(EPERM, entry.text() + " is not a socket of ours"));
  fs::remove(folder() / entry.text());
  std::ofstream(folder() / entry.text()) << "content";
  EXPECT_THAT(attach(), fails_with(EPERM, entry.text() + " is not a socket of ours"));
}

// Names that only look like an entry are none, for attach and for create.
TEST_F(NamedRefusals, AnEntryWhoseNameWasTamperedWith) {
  make_folder();
  const std::string real = ipc::NamedEntry{"x", ipc::Owner::self()}.text();
  for (const std::string& name :
       {real + ".", real + "0x", real.substr(0, real.rfind('.')), "x.0" + real.substr(2),
        "x.+" + real.substr(2), "x.-" + real.substr(2), std::string("x...."),
        std::string("x.99999999999999999999.1.1"), '.' + real, "x." + real}) {
    std::ofstream(folder() / name) << "";
    EXPECT_FALSE(ipc::NamedEntry::parse(name)) << name;
  }
  EXPECT_THAT(attach(), fails_with(ENOENT, "no such name"));
  EXPECT_THAT(create(), fails_with(0, ""));
}

}  // namespace
