// A server of PostgreSQL of a test's own: a folder, a socket in it, nothing on the network.
#pragma once

#include <pwd.h>
#include <sys/prctl.h>
#include <unistd.h>

#include <chrono>
#include <filesystem>
#include <stdexcept>
#include <string>
#include <thread>
#include <vector>

#include <fmt/format.h>

#include "ipc/process.hpp"
#include "tests/scratch.hpp"

class PostgresServer {
 public:
  // The folder of its programs, where Debian's package puts them; empty when it is not installed.
  static std::filesystem::path programs() {
    std::error_code none;
    std::filesystem::path newest;
    for (const auto& version : std::filesystem::directory_iterator("/usr/lib/postgresql", none)) {
      const auto folder = version.path() / "bin";
      if (std::filesystem::exists(folder / "initdb") && folder > newest) newest = folder;
    }
    return newest;
  }

  // Requires that it is installed.
  PostgresServer() {
    if (::geteuid() == 0) become_ = unprivileged();
    if (become_.user != 0 && ::chown(folder_.path().c_str(), become_.user, become_.group) == -1) {
      throw std::runtime_error("chown " + folder_.path().string());
    }
    const std::string data = folder_.path() / "data";
    ipc::Process made = start({"initdb", "--pgdata=" + data, "--username=tester", "--auth=trust",
                               "--encoding=UTF8", "--no-locale", "--no-sync"});
    const auto ended = made.join();
    if (!ended || !ended->success()) throw std::runtime_error(read(folder_.path() / "log"));
    // What a server keeps outside of its folder would look like something that a test left behind.
    server_ = start({"postgres", "-D", data, "-k", folder_.path(), "-c", "listen_addresses=", "-c",
                     "fsync=off", "-c", "dynamic_shared_memory_type=mmap"});
    while (read(folder_.path() / "data/postmaster.pid").find("ready") == std::string::npos) {
      if (server_.join(ipc::Deadline::in(std::chrono::milliseconds(20)))) {
        throw std::runtime_error(read(folder_.path() / "log"));
      }
    }
  }

  ~PostgresServer() {
    server_.kill(SIGINT);  // "fast shutdown": sessions are ended
    server_.join(ipc::Deadline::in(std::chrono::seconds(100)));
  }

  [[nodiscard]] std::string address(const std::string& database = "postgres") const {
    return fmt::format("postgresql://tester@/{}?host={}", database, folder_.path().string());
  }

 private:
  struct User {
    uid_t user = 0;
    gid_t group = 0;
  };

  // It does not run as root.
  static User unprivileged() {
    for (const char* name : {"postgres", "nobody"}) {
      if (const passwd* entry = ::getpwnam(name)) return {entry->pw_uid, entry->pw_gid};
    }
    throw std::runtime_error("no user to run PostgreSQL as");
  }

  // Its output goes to the log. It shuts down by itself when the test dies ("immediate shutdown").
  ipc::Process start(std::vector<std::string> arguments) const {
    // By its whole path, from which it finds the files that belong to it.
    arguments.front() = programs() / arguments.front();
    const std::string log = folder_.path() / "log";
    std::vector<char*> argv;
    for (std::string& argument : arguments) argv.push_back(argument.data());
    argv.push_back(nullptr);
    return ipc::Process([&] {
      if (become_.user != 0 && (::setgid(become_.group) == -1 || ::setuid(become_.user) == -1)) {
        return 126;
      }
      ::prctl(PR_SET_PDEATHSIG, SIGQUIT);
      if (::freopen(log.c_str(), "a", stdout) == nullptr) return 126;
      ::dup2(STDOUT_FILENO, STDERR_FILENO);
      ::execv(argv.front(), argv.data());
      return 127;
    });
  }

  Scratch folder_;
  User become_;
  ipc::Process server_;
};
