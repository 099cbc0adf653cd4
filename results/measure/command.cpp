// ipc-compare run, ipc-compare machine.
#include "results/command.hpp"

#include <memory>
#include <random>

#include <fmt/format.h>

#include "results/measure/machine.hpp"
#include "results/measure/run.hpp"

namespace results {
namespace {

void add_run(CLI::App& program, Exit& exit) {
  CLI::App* run =
      program.add_subcommand("run", "Launch the benchmarks in rounds, write one run file");
  const auto options = std::make_shared<RunOptions>();
  options->bin = std::filesystem::read_symlink("/proc/self/exe").parent_path() / "../bench";
  options->bin = options->bin.lexically_normal();
  options->out = "results/out";
  options->seed = std::random_device()();
  run->add_option("--bin", options->bin, "Folder of the benchmark binaries")->capture_default_str();
  auto* size = run->add_option("--size", options->size, "smoke, quick or full")
                   ->check(CLI::IsMember({"smoke", "quick", "full"}))
                   ->capture_default_str();
  run->add_flag_callback(
         "--quick", [options] { options->size = "quick"; },
         "3 rounds, or as many as fit into 3 minutes, but at least 1")
      ->excludes(size);
  run->add_flag_callback(
         "--full", [options] { options->size = "full"; }, "10 longer rounds")
      ->excludes(size)
      ->excludes("--quick");
  run->add_option("--filter", options->filter, "Only rows whose names match this expression");
  run->add_option("--rounds", options->rounds, "Launches of each binary; lifts the time limit")
      ->check(CLI::Range(1, 1000));
  run->add_option("--seed", options->seed, "For the order of launches within a round");
  const auto row_timeout_s = std::make_shared<int>(300);
  run->add_option("--row-timeout", *row_timeout_s,
                  "Seconds without a finished row after which a binary is killed; it has a "
                  "watchdog of its own, so that this should not happen")
      ->check(CLI::Range(1, 86400))
      ->capture_default_str();
  run->add_option("--out", options->out, "A file *.json, or the folder for it")
      ->capture_default_str();
  run->callback([options, row_timeout_s, &exit] {
    options->row_timeout = std::chrono::seconds(*row_timeout_s);
    exit = results::run(*options);
  });
}

}  // namespace

void add_measure_commands(CLI::App& program, Exit& exit) {
  add_run(program, exit);
  program.add_subcommand("machine", "Print the name for this kind of machine")->callback([] {
    fmt::print("{}\n", machine()["id"].get<std::string>());
  });
}

}  // namespace results
