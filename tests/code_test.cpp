// Functions on their way to another process: the program's own, and those of libraries.
#include "pools/code.hpp"

#include <ctype.h>
#include <dlfcn.h>

#include <stdexcept>
#include <vector>

#include "ipc/channels/pipe.hpp"
#include "pools/process_pool.hpp"
#include "tests/pool_fixture.hpp"

namespace {

using testing::HasSubstr;
using testing::ThrowsMessage;

using IntFunction = int (*)(int);
using Pool = pools::ProcessPool<ipc::Pipe>;

int twice(int x) {
  return 2 * x;
}

int call(IntFunction function, int x) {
  return function(x);
}

// The library that is built beside this test. It has to stay while its code is known to a pool.
class Plugin {
 public:
  Plugin() : handle_(::dlopen(CODE_PLUGIN, RTLD_NOW | RTLD_LOCAL)) {
    if (handle_ == nullptr) throw std::runtime_error(::dlerror());
  }
  Plugin(const Plugin&) = delete;
  ~Plugin() { ::dlclose(handle_); }

  [[nodiscard]] IntFunction triple() const {
    return reinterpret_cast<IntFunction>(::dlsym(handle_, "plugin_triple"));
  }

 private:
  void* handle_;
};

class Code : public pool_test::Guarded {};

TEST_F(Code, IsFoundAgain) {
  EXPECT_EQ(pools::code_at<IntFunction>(pools::code_address(twice)), twice);
  EXPECT_EQ(pools::code_at<IntFunction>(pools::code_address(&::isalpha)), &::isalpha);
  const Plugin plugin;
  EXPECT_EQ(pools::code_at<IntFunction>(pools::code_address(plugin.triple())), plugin.triple());
}

TEST_F(Code, ANullPointerStaysOne) {
  EXPECT_EQ(pools::code_at<IntFunction>(pools::code_address(IntFunction{nullptr})), nullptr);
}

TEST_F(Code, SaysInWhichModuleItIs) {
  const Plugin plugin;
  EXPECT_EQ(pools::code_address(twice).module, 0U);
  EXPECT_NE(pools::code_address(plugin.triple()).module, 0U);
  EXPECT_NE(pools::code_address(plugin.triple()).module, pools::code_address(&::isalpha).module);
}

TEST_F(Code, WhatIsNoneIsRefused) {
  static int data = 0;
  std::vector<int> heap(1);
  for (int* const no_code : {&data, heap.data()}) {
    EXPECT_THROW(pools::code_address(reinterpret_cast<IntFunction>(no_code)),
                 std::invalid_argument);
  }
  const auto data_offset =
      pools::code_address(twice).offset +
      (reinterpret_cast<std::uintptr_t>(&data) - reinterpret_cast<std::uintptr_t>(&twice));
  EXPECT_THROW(pools::code_at<IntFunction>({.module = 0, .offset = data_offset}),
               std::runtime_error);
  EXPECT_THROW(pools::code_at<IntFunction>({.module = 0, .offset = ~std::uint64_t{0}}),
               std::runtime_error);
  EXPECT_THROW(pools::code_at<IntFunction>({.module = 1, .offset = 1}), std::runtime_error);
}

TEST_F(Code, OfALibraryRunsInWorkersThatHaveIt) {
  const Plugin plugin;
  Pool pool({.workers = 1});
  EXPECT_EQ(pool.submit(plugin.triple(), 14).get(), 42);
  EXPECT_EQ(pool.submit(call, plugin.triple(), 14).get(), 42);
  EXPECT_EQ(pool.submit(call, twice, 21).get(), 42);
}

TEST_F(Code, OfALibraryThatAWorkerLacksCostsItsTaskAlone) {
  Pool pool({.workers = 1});
  const pid_t worker = pool.submit(::getpid).get();
  const Plugin plugin;
  auto function = pool.submit(plugin.triple(), 14);
  auto argument = pool.submit(call, plugin.triple(), 14);
  for (auto* future : {&function, &argument}) {
    EXPECT_THAT([&] { future->get(); },
                ThrowsMessage<std::runtime_error>(HasSubstr("loaded after the pool's zygote")));
  }
  EXPECT_EQ(pool.submit(::getpid).get(), worker) << "it was replaced";
}

// This program's main() is GoogleTest's, which knows nothing of pools.
TEST_F(Code, OfAProgramThatDoesNotExpectItIsNotStartedAnew) {
  EXPECT_THAT([] { Pool({.workers = 1, .start = pools::StartMethod::spawn}); },
              ThrowsMessage<std::logic_error>(HasSubstr("pools::serve_if_spawned(argc, argv)")));
}

}  // namespace
