// The check for leftovers sees each kind of thing that it is there to see.
#include "tests/leftovers.hpp"

#include <mqueue.h>
#include <sys/mman.h>
#include <sys/msg.h>
#include <sys/sem.h>
#include <sys/shm.h>
#include <sys/wait.h>

#include <cerrno>
#include <cstdio>
#include <cstring>
#include <string>

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <nlohmann/json.hpp>

#include "ipc/process.hpp"

namespace {

using ::testing::Contains;
using ::testing::HasSubstr;
using ::testing::Not;

const std::string unique_name = "ipc-compare-leftovers-" + std::to_string(::getpid());

leftovers::Names seen() {
  return leftovers::all(PROJECT_BINARY_DIR);
}

// The program that ctest runs, on what exists now against `before`.
ipc::ExitStatus compared_with(const std::string& before) {
  return ipc::Process([&] {
           ::alarm(60);
           ::execl(PROJECT_BINARY_DIR "/tests/leftovers", "leftovers", "compare", before.c_str(),
                   PROJECT_BINARY_DIR, "1", nullptr);
           return 127;
         })
      .join()
      .value();
}

TEST(Leftovers, sees_shared_memory) {
  const ipc::Fd memory(::shm_open(("/" + unique_name).c_str(), O_CREAT | O_EXCL | O_RDWR, 0600));
  ASSERT_TRUE(memory.valid());
  EXPECT_THAT(seen(), Contains("/dev/shm/" + unique_name));
  ::shm_unlink(("/" + unique_name).c_str());
  EXPECT_THAT(seen(), Not(Contains("/dev/shm/" + unique_name)));
}

TEST(Leftovers, sees_posix_queues) {
  if (!leftovers::posix_queues_are_visible()) GTEST_SKIP() << "needs root or /dev/mqueue";
  mq_attr small{};
  small.mq_maxmsg = 1;
  small.mq_msgsize = 1;
  const mqd_t queue =
      ::mq_open(("/" + unique_name).c_str(), O_CREAT | O_EXCL | O_RDWR, 0600, &small);
  ASSERT_NE(queue, mqd_t{-1}) << "mq_open: " << std::strerror(errno);
  EXPECT_THAT(seen(), Contains("POSIX queue /" + unique_name));
  ::mq_close(queue);
  ::mq_unlink(("/" + unique_name).c_str());
  EXPECT_THAT(seen(), Not(Contains("POSIX queue /" + unique_name)));
}

TEST(Leftovers, sees_system_v_objects) {
  const int queue = ::msgget(IPC_PRIVATE, 0600);
  const int memory = ::shmget(IPC_PRIVATE, 4096, 0600);
  const int semaphores = ::semget(IPC_PRIVATE, 1, 0600);
  ASSERT_TRUE(queue >= 0 && memory >= 0 && semaphores >= 0);
  const auto with = seen();
  ::msgctl(queue, IPC_RMID, nullptr);
  ::shmctl(memory, IPC_RMID, nullptr);
  ::semctl(semaphores, 0, IPC_RMID);
  const auto without = seen();
  for (const auto& name :
       {"System V msg " + std::to_string(queue), "System V shm " + std::to_string(memory),
        "System V sem " + std::to_string(semaphores)}) {
    EXPECT_THAT(with, Contains(name));
    EXPECT_THAT(without, Not(Contains(name)));
  }
}

TEST(Leftovers, sees_processes_of_the_build) {
  const ipc::Process idle([] { return ::pause(); });
  EXPECT_THAT(seen(), Contains(HasSubstr("process " + std::to_string(idle.pid()) + " ")));
}

// A test that does not require the fixture could run after the last look.
TEST(Leftovers, of_every_test_are_looked_for) {
  FILE* pipe = ::popen("ctest --test-dir '" PROJECT_BINARY_DIR "' --show-only=json-v1", "r");
  ASSERT_NE(pipe, nullptr);
  const auto suite = nlohmann::json::parse(pipe, nullptr, false);
  ASSERT_EQ(::pclose(pipe), 0);
  ASSERT_GT(suite.at("tests").size(), 10U);
  for (const auto& test : suite.at("tests")) {
    std::string fixtures;
    for (const auto& property : test.value("properties", nlohmann::json::array())) {
      if (property.at("name").get<std::string>().starts_with("FIXTURES_")) {
        fixtures += property.at("value").dump();
      }
    }
    EXPECT_THAT(fixtures, HasSubstr("\"machine\"")) << test.at("name");
  }
}

TEST(Leftovers, of_a_test_fail_the_suite) {
  const std::string before = ::testing::TempDir() + unique_name;
  {
    std::ofstream known(before);
    for (const auto& name : seen()) known << name << '\n';
  }
  const int memory = ::shmget(IPC_PRIVATE, 4096, 0600);
  ASSERT_GE(memory, 0);
  EXPECT_EQ(compared_with(before).code, 1);
  ::shmctl(memory, IPC_RMID, nullptr);
  leftovers::fs::remove(before);
}

}  // namespace
