// ipc-compare history: the commands on a store.
#include "results/command.hpp"

#include <chrono>
#include <cstdio>
#include <filesystem>
#include <memory>
#include <string>
#include <vector>

#include <fmt/format.h>

#include "results/history/run_record.hpp"
#include "results/history/runs.hpp"
#include "results/history/store.hpp"

namespace results {
namespace {

struct StoreOptions {
  std::string address = "sqlite:results/out/history.db";
  int patience_s = 10;

  [[nodiscard]] Store open(Store::WhenMissing when_missing = Store::WhenMissing::refuse) const {
    return Store(address, when_missing, std::chrono::seconds(patience_s));
  }
};
using Options = std::shared_ptr<StoreOptions>;

// What was said is out before the next run is begun, whatever then happens to this process.
template <class... Arguments>
void say(fmt::format_string<Arguments...> format, Arguments&&... arguments) {
  fmt::print(format, std::forward<Arguments>(arguments)...);
  std::fflush(stdout);
}

// Stores each file as a whole or not at all, and the good ones whatever the others are.
Exit ingest(const StoreOptions& options, const std::vector<std::string>& files) {
  Store store = options.open(Store::WhenMissing::create);
  Exit exit = Exit::ok;
  for (const std::string& file : files) {
    try {
      const RunRecord record = record_of(read_run_file(file));
      const Added added =
          store.write([&](Transaction& transaction) { return add_run(transaction, record); });
      if (added.is_new) {
        say("stored: {} as run {}\n", file, added.id);
      } else {
        say("known: {} is run {}\n", file, added.id);
      }
    } catch (const Failure& failure) {
      if (failure.exit() != Exit::usage) throw;
      fmt::print(stderr, "ipc-compare: not stored: {}\n", failure.what());
      exit = Exit::usage;
    }
  }
  return exit;
}

void list(const StoreOptions& options) {
  Store store = options.open();
  const std::vector<StoredRun> runs = store.read(list_runs);
  fmt::print("{:>6} {:20} {:6} {:>7} {:13} {:24} {}\n", "run", "started", "size", "cells", "commit",
             "environment", "file");
  for (const StoredRun& run : runs) {
    fmt::print("{:6} {:20} {:6} {:7} {:13} {:24} {}\n", run.id, run.started, run.size, run.cells,
               run.commit, run.environment_hash, run.source);
  }
}

void add_ingest(CLI::App& history, const Options& options, Exit& exit) {
  CLI::App* command = history.add_subcommand("ingest", "Store run files")->fallthrough();
  const auto files = std::make_shared<std::vector<std::string>>();
  command->add_option("files", *files, "Run files")->required();
  command->callback([options, files, &exit] { exit = ingest(*options, *files); });
}

}  // namespace

void add_history_commands(CLI::App& program, Exit& exit) {
  CLI::App* history = program.add_subcommand("history", "Keep runs, and look how rows change");
  history->require_subcommand(1);
  const auto options = std::make_shared<StoreOptions>();
  history->add_option("--store", options->address, "sqlite:PATH or postgresql://...")
      ->envname("IPC_COMPARE_STORE")
      ->capture_default_str();
  history
      ->add_option("--patience", options->patience_s,
                   "Seconds to wait for another process that writes")
      ->check(CLI::Range(0, 3600))
      ->capture_default_str();
  add_ingest(*history, options, exit);
  history->add_subcommand("list", "The runs that are stored, the oldest first")
      ->fallthrough()
      ->callback([options] { list(*options); });
}

}  // namespace results
