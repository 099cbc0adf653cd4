// What do workers cost to have and to let go? A pool of two, one task, and the end of it, by how
// the workers come to be; beside it a thread, and processes that do nothing.
//
// What a copy of a process costs depends on how much memory the process has touched: `parent`.
#include <spawn.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <memory>
#include <optional>
#include <stdexcept>
#include <string>
#include <string_view>
#include <thread>

#include "bench/axes.hpp"
#include "bench/main.hpp"
#include "ipc/pages.hpp"
#include "pools/pools.hpp"
#include "pools/zygote.hpp"

namespace bench {
namespace {

struct Parent {
  std::string_view name;
  std::size_t bytes;
};
constexpr std::array parents{Parent{"small", 0}, Parent{"256_MiB", std::size_t{256} << 20}};

// What the measuring process has beside the row: it grows only, so the rows of a small one come
// first.
class Ballast {
 public:
  // Made when this process is small.
  const pools::Zygote& early_zygote() {
    if (!zygote_) zygote_.emplace();
    return *zygote_;
  }

  void grow_to(const Parent& parent) {
    early_zygote();
    if (pages_.size() >= parent.bytes) return;
    constexpr std::size_t page_bytes = 4096;
    pages_ = ipc::Pages::anonymous(parent.bytes);
    ::madvise(pages_.data(), pages_.size(), MADV_NOHUGEPAGE);  // EINVAL where there are none
    for (std::size_t at = 0; at < pages_.size(); at += page_bytes) pages_.data()[at] = std::byte{1};
  }

 private:
  std::optional<pools::Zygote> zygote_;
  ipc::Pages pages_;
};

using Start = pools::Options (*)(Ballast&);
struct StartKind {
  std::string_view name;
  Start options;
};
constexpr std::size_t workers = 2;
constexpr std::array start_kinds{
    StartKind{"zygote_early",
              [](Ballast& ballast) {
                return pools::Options{.workers = workers, .zygote = &ballast.early_zygote()};
              }},
    StartKind{"fork",
              [](Ballast&) {
                return pools::Options{.workers = workers, .start = pools::StartMethod::fork};
              }},
    StartKind{"spawn", [](Ballast&) {
                return pools::Options{.workers = workers, .start = pools::StartMethod::spawn};
              }}};

int twice(int x) {
  return 2 * x;
}

Measured up_and_down(const Suite& suite, const pools::PoolKind& kind,
                     const pools::Options& options) {
  return measure(suite.settings(), Batching{}, [&] {
    pools::AnyPool pool(kind, options);
    if (pool.submit(twice, 21).get() != 42) throw std::runtime_error("a task has a wrong result");
    pool.close();
    pool.join();
  });
}

void await_child(pid_t child) {
  ipc::check("waitpid", [&] { return ::waitpid(child, nullptr, 0); });
}

struct Alone {
  std::string_view name;
  void (*make_and_await)();
};
constexpr std::array alone{Alone{"thread", [] { std::thread([] {}).join(); }},
                           Alone{"fork",
                                 [] {
                                   const pid_t child = ipc::check("fork", [] { return ::fork(); });
                                   if (child == 0) ::_exit(0);
                                   await_child(child);
                                 }},
                           Alone{"posix_spawn", [] {
                                   std::string program = "true";
                                   const std::array<char*, 2> arguments{program.data(), nullptr};
                                   pid_t child = -1;
                                   const int error =
                                       ::posix_spawnp(&child, program.c_str(), nullptr, nullptr,
                                                      arguments.data(), ::environ);
                                   if (error != 0) ipc::throw_errno("posix_spawnp(true)", error);
                                   await_child(child);
                                 }}};

void add_rows(Suite& suite) {
  const auto ballast = std::make_shared<Ballast>();
  for (const Parent& parent : parents) {
    for (const Alone& each : alone) {
      suite.add(RowName("lifecycle").with("what", each.name).with("parent", parent.name),
                [&suite, ballast, parent, each] {
                  ballast->grow_to(parent);
                  return measure(suite.settings(), Batching{}, each.make_and_await);
                });
    }
    for (const pools::PoolKind& kind : pools::all_pools()) {
      const RowName name = RowName("lifecycle").with("pool", kind.name);
      const Size size = suite.settings().size;
      if (!kind.processes()) {
        if (!takes_part_in_lifecycle(size, kind.name, "", parent.name)) continue;
        suite.add(name.with("parent", parent.name), [&suite, ballast, parent, kind] {
          ballast->grow_to(parent);
          return up_and_down(suite, kind, {.workers = workers});
        });
        continue;
      }
      for (const StartKind& start : start_kinds) {
        if (!takes_part_in_lifecycle(size, kind.name, start.name, parent.name)) continue;
        suite.add(name.with("start", start.name).with("parent", parent.name),
                  [&suite, ballast, parent, kind, start] {
                    ballast->grow_to(parent);
                    return up_and_down(suite, kind, start.options(*ballast));
                  });
      }
    }
  }
}

}  // namespace
}  // namespace bench

int main(int argc, char** argv) {
  pools::serve_if_spawned(argc, argv);
  return bench::run(argc, argv, bench::add_rows);
}
