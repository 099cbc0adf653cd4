// What the tests of named channels share: a folder of their own, and what they find or plant in it.
#pragma once

#include <sys/socket.h>

#include <chrono>
#include <filesystem>
#include <functional>
#include <optional>
#include <stop_token>
#include <string>
#include <system_error>
#include <thread>
#include <utility>
#include <vector>

#include <gtest/gtest.h>

#include "ipc/adapters/named.hpp"
#include "ipc/process.hpp"
#include "tests/channel_peers.hpp"
#include "tests/scratch.hpp"

namespace tests {

struct Failure {
  int error = 0;  // errno; 0 when nothing was thrown
  std::string text;
};

template <class F>
Failure failure_of(F&& f) {
  try {
    f();
  } catch (const std::system_error& error) {
    return {error.code().value(), error.what()};
  }
  return {};
}

// The guard against a hang is the time limit of ctest.
template <class Condition>
void wait_until(Condition&& condition) {
  while (!condition()) std::this_thread::sleep_for(std::chrono::milliseconds(1));
}

// Attaches as soon as the name is there.
template <class F>
auto attach_when_published(F&& attach) {
  for (;;) {
    try {
      return attach();
    } catch (const std::system_error& error) {
      if (error.code().value() != ENOENT) throw;
      std::this_thread::sleep_for(std::chrono::milliseconds(1));
    }
  }
}

// Serves on a thread until it is destroyed.
class Server {
 public:
  explicit Server(ipc::Published published)
      : thread_([published = std::move(published)](const std::stop_token& stop) mutable {
          while (!stop.stop_requested()) {
            published.serve(ipc::Deadline::in(std::chrono::milliseconds(5)));
          }
        }) {}

 private:
  std::jthread thread_;
};

// A folder that nobody else has, and that is not there yet.
class NamedFolderFixture {
 public:
  [[nodiscard]] std::filesystem::path folder() const { return scratch_.path() / "named"; }
  // What is in it.
  [[nodiscard]] std::vector<std::string> entries() const {
    return std::filesystem::exists(folder()) ? scratch_.names("named") : std::vector<std::string>();
  }
  void make_folder(unsigned mode = 0700) const {
    std::filesystem::create_directory(folder());
    std::filesystem::permissions(folder(), std::filesystem::perms{mode});
  }

  // A socket that listens under the name of an entry, with whatever owner.
  [[nodiscard]] ipc::Fd plant(const ipc::NamedEntry& entry) const {
    const auto there = ipc::NamedFolder::make(folder());
    ipc::Fd socket(::socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0));
    const sockaddr_un address = there.address_of(entry);
    EXPECT_EQ(::bind(socket.get(), reinterpret_cast<const sockaddr*>(&address), sizeof address), 0);
    EXPECT_EQ(::listen(socket.get(), 8), 0);
    return socket;
  }

  // A process that has published a channel and lives until it is killed.
  [[nodiscard]] ipc::Process start_owner(const ipc::AnyChannel& channel,
                                         const std::string& name) const {
    const auto before = entries().size();
    ipc::Process owner([&] {
      const ipc::Published published(channel, name, {}, folder());
      for (;;) std::this_thread::sleep_for(std::chrono::hours(1));
      return 0;
    });
    wait_until([&] { return entries().size() > before; });
    return owner;
  }
  // The entry of an owner that was killed.
  void leave_entry(const ipc::AnyChannel& channel, const std::string& name) const {
    auto owner = start_owner(channel, name);
    owner.kill(SIGKILL);
    owner.join();
  }

 private:
  Scratch scratch_;
};

}  // namespace tests
