// The command line of ipc-compare: one subcommand, one function.
#include <cstdio>
#include <exception>
#include <random>
#include <string>

#include <CLI/CLI.hpp>
#include <fmt/format.h>

#include "results/failure.hpp"
#include "results/machine.hpp"
#include "results/publish.hpp"
#include "results/run.hpp"

namespace {

using results::Exit;

struct Commands {
  CLI::App app{"Measures what it costs to move messages and to share data, and publishes tables."};
  CLI::App* run = app.add_subcommand("run", "Launch the benchmarks in rounds, write one run file");
  CLI::App* publish = app.add_subcommand("publish", "Write tables from run files");
  CLI::App* summary = app.add_subcommand("summary", "Print the findings and a short table");
  CLI::App* machine = app.add_subcommand("machine", "Print the name for this kind of machine");
  results::RunOptions run_options;
  results::PublishOptions publish_options;
  std::vector<std::string> formats;

  Commands() {
    app.require_subcommand(1);
    run_options.bin = std::filesystem::read_symlink("/proc/self/exe").parent_path() / "../bench";
    run_options.bin = run_options.bin.lexically_normal();
    run_options.out = "results/out";
    run_options.seed = std::random_device()();
    run->add_option("--bin", run_options.bin, "Folder of the benchmark binaries")
        ->capture_default_str();
    auto* size = run->add_option("--size", run_options.size, "smoke, quick or full")
                     ->check(CLI::IsMember({"smoke", "quick", "full"}))
                     ->capture_default_str();
    run->add_flag_callback(
           "--quick", [this] { run_options.size = "quick"; },
           "3 rounds, or as many as fit into 3 minutes, but at least 1")
        ->excludes(size);
    run->add_flag_callback(
           "--full", [this] { run_options.size = "full"; }, "10 longer rounds")
        ->excludes(size)
        ->excludes("--quick");
    run->add_option("--filter", run_options.filter, "Only rows whose names match this expression");
    run->add_option("--rounds", run_options.rounds, "Launches of each binary; lifts the time limit")
        ->check(CLI::Range(1, 1000));
    run->add_option("--seed", run_options.seed, "For the order of launches within a round");
    run->add_option("--row-timeout", row_timeout_s_,
                    "Seconds without a finished row after which a binary is killed; it has a "
                    "watchdog of its own, so that this should not happen")
        ->check(CLI::Range(1, 86400))
        ->capture_default_str();
    run->add_option("--out", run_options.out, "A file *.json, or the folder for it")
        ->capture_default_str();

    publish->add_option("files", publish_options.files, "Run files of one machine")->required();
    publish->add_option("--out", publish_options.out, "Folder for README.md and the CSV files")
        ->capture_default_str();
    publish->add_option("--format", formats, "md, csv or both")
        ->delimiter(',')
        ->check(CLI::IsMember({"md", "csv"}));
    summary->add_option("files", publish_options.files, "Run files of one machine")->required();
  }

  Exit execute() {
    run_options.row_timeout = std::chrono::seconds(row_timeout_s_);
    if (run->parsed()) return results::run(run_options);
    if (machine->parsed()) {
      fmt::print("{}\n", results::machine()["id"].get<std::string>());
      return Exit::ok;
    }
    if (summary->parsed()) return results::summary(publish_options);
    if (!formats.empty()) {
      const auto asks = [&](const char* format) {
        return std::find(formats.begin(), formats.end(), format) != formats.end();
      };
      publish_options.markdown = asks("md");
      publish_options.csv = asks("csv");
    }
    return results::publish(publish_options);
  }

 private:
  int row_timeout_s_ = 300;
};

}  // namespace

int main(int argc, char** argv) {
  try {
    Commands commands;
    try {
      commands.app.parse(argc, argv);
    } catch (const CLI::ParseError& error) {
      const bool asked_for_help = commands.app.exit(error) == 0;
      return static_cast<int>(asked_for_help ? Exit::ok : Exit::usage);
    }
    return static_cast<int>(commands.execute());
  } catch (const results::Failure& failure) {
    fmt::print(stderr, "ipc-compare: {}\n", failure.what());
    return static_cast<int>(failure.exit());
  } catch (const std::exception& error) {
    fmt::print(stderr, "ipc-compare: {}\n", error.what());
    return static_cast<int>(Exit::benchmark);
  }
}
