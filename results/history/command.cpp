// ipc-compare history: the commands on a store.
#include "results/command.hpp"

#include <chrono>
#include <cmath>
#include <cstdio>
#include <filesystem>
#include <memory>
#include <regex>
#include <string>
#include <utility>
#include <vector>

#include <fmt/format.h>

#include "results/history/alerts.hpp"
#include "results/history/benchmarks.hpp"
#include "results/history/exchange.hpp"
#include "results/history/run_record.hpp"
#include "results/history/runs.hpp"
#include "results/history/scan.hpp"
#include "results/history/series.hpp"
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
  fmt::print("{:>6} {:20} {:6} {:>7} {:13} {:16} {}\n", "run", "started", "size", "cells", "commit",
             "environment", "file");
  for (const StoredRun& run : runs) {
    fmt::print("{:6} {:20} {:6} {:7} {:13} {:16} {}\n", run.id, run.started, run.size, run.cells,
               run.commit, run.environment_hash, run.source);
  }
}

void series(const StoreOptions& options, const std::string& row, const std::string& metric) {
  Store store = options.open();
  const std::vector<RowPoint> points =
      store.read([&](Transaction& transaction) { return read_row(transaction, row, metric); });
  fmt::print("started,run,commit,environment,size,version,launches,median,lower,upper\n");
  for (const RowPoint& point : points) {
    fmt::print("{},{},{},{},{},{},{},{},{},{}\n", point.started, point.run, point.commit,
               point.environment, point.size, point.version, point.launches, point.median,
               point.lower, point.upper);
  }
}

std::string percent(double effect) {
  return fmt::format("{:+.1f} %", 100 * std::expm1(effect));
}

void list_all_alerts(const StoreOptions& options) {
  Store store = options.open();
  const std::vector<StoredAlert> alerts = store.read(list_alerts);
  fmt::print("{:>5} {:9} {:>10} {:>23} {:>6} {:20} {}\n", "alert", "state", "change", "interval",
             "run", "started", "row, metric");
  for (const StoredAlert& alert : alerts) {
    const std::string interval = percent(alert.lower) + " to " + percent(alert.upper);
    fmt::print("{:5} {:9} {:>10} {:>23} {:6} {:20} {} {}", alert.id, to_text(alert.decision.state),
               percent(alert.effect), interval, alert.run, alert.started, alert.row, alert.metric);
    if (alert.also > 0) fmt::print(", and {} others like it", alert.also);
    if (alert.decision.ceiling > 0) fmt::print("; up to {}", percent(alert.decision.ceiling));
    if (!alert.decision.expires.empty()) fmt::print("; until {}", alert.decision.expires);
    if (!alert.decision.reason.empty()) fmt::print("; {}", alert.decision.reason);
    fmt::print("\n");
  }
}

struct ScanChoice {
  std::string rows;
  std::vector<std::string> metrics{"real_time_ns"};
};

std::string today() {
  const std::chrono::year_month_day day(
      std::chrono::floor<std::chrono::days>(std::chrono::system_clock::now()));
  return fmt::format("{:04}-{:02}-{:02}", static_cast<int>(day.year()),
                     static_cast<unsigned>(day.month()), static_cast<unsigned>(day.day()));
}

// Advisory: whatever it finds is an alert and not a failure.
void scan_history(const StoreOptions& options, const ScanChoice& choice) {
  std::regex rows;
  try {
    rows = std::regex(choice.rows);
  } catch (const std::regex_error&) {
    throw Failure(Exit::usage, fmt::format("--rows {}: is no regular expression", choice.rows));
  }
  Store store = options.open();
  const RowHistory history = store.read([&](Transaction& transaction) {
    return read_history(transaction, choice.metrics,
                        [&](const std::string& row) { return std::regex_search(row, rows); });
  });
  const Scan found = scan(history.series);
  const AlertChanges changes = store.write(
      [&](Transaction& transaction) { return record_scan(transaction, found, history, today()); });
  fmt::print(
      "scanned {} series over {} runs: {} alerts opened, {} opened again, {} recovered, {} "
      "as they were\n",
      history.series.size(), history.runs.size(), changes.opened, changes.reopened,
      changes.recovered, changes.known);
  if (found.symmetry.biased) {
    fmt::print(
        "{} rows got worse and {} better, which noise does not do (p = {:.2g}): the "
        "measuring is biased\n",
        found.symmetry.regressions, found.symmetry.improvements, found.symmetry.p);
  }
}

void add_runs(CLI::App& history, const Options& options, Exit& exit) {
  CLI::App* ingest_command = history.add_subcommand("ingest", "Store run files");
  const auto files = std::make_shared<std::vector<std::string>>();
  ingest_command->add_option("files", *files, "Run files")->required();
  ingest_command->callback([options, files, &exit] { exit = ingest(*options, *files); });

  history.add_subcommand("list", "The runs that are stored, the oldest first")->callback([options] {
    list(*options);
  });

  CLI::App* prune = history.add_subcommand(
      "prune", "Drop the values of single launches of old runs; their medians and bounds stay");
  const auto keep = std::make_shared<int>(100);
  prune->add_option("--keep", *keep, "Newest runs that are left as they are")
      ->check(CLI::NonNegativeNumber)
      ->capture_default_str();
  prune->callback([options, keep] {
    const int pruned = options->open().write(
        [&](Transaction& transaction) { return prune_values(transaction, *keep); });
    fmt::print("{} runs lost the values of their launches\n", pruned);
  });
}

void add_rows(CLI::App& history, const Options& options) {
  CLI::App* series_command = history.add_subcommand("series", "One row in the course of time, CSV");
  const auto row = std::make_shared<std::string>();
  const auto metric = std::make_shared<std::string>("real_time_ns");
  series_command->add_option("row", *row, "Its name, as tables write it")->required();
  series_command->add_option("--metric", *metric, "Its figure")->capture_default_str();
  series_command->callback([options, row, metric] { series(*options, *row, *metric); });

  CLI::App* scan_command =
      history.add_subcommand("scan", "Look for changes of level, and open alerts for them");
  const auto choice = std::make_shared<ScanChoice>();
  scan_command->add_option("--rows", choice->rows, "Only rows whose names match this expression");
  scan_command->add_option("--metric", choice->metrics, "Figures to look at")
      ->capture_default_str();
  scan_command->callback([options, choice] { scan_history(*options, *choice); });

  CLI::App* alias = history.add_subcommand("alias", "Say that a row has got another name");
  const auto names = std::make_shared<std::pair<std::string, std::string>>();
  alias->add_option("old", names->first, "The name that it had")->required();
  alias->add_option("new", names->second, "The name that it has")->required();
  alias->callback([options, names] {
    options->open().write([&](Transaction& transaction) {
      rename_benchmark(transaction, names->first, names->second);
    });
  });
}

void add_exchange(CLI::App& history, const Options& options) {
  const auto file = std::make_shared<std::string>();
  const auto say_what = [](const char* verb, const Exchanged& done) {
    fmt::print("{}: {} runs, {} aliases, {} alerts", verb, done.runs, done.aliases, done.alerts);
    if (done.known > 0) fmt::print("; {} runs were known", done.known);
    fmt::print("\n");
  };
  CLI::App* export_command =
      history.add_subcommand("export", "Write everything that is stored as JSON lines");
  export_command->add_option("file", *file, "The file to write")->required();
  export_command->callback([options, file, say_what] {
    Store store = options->open();
    say_what("exported", export_history(store, *file));
  });
  CLI::App* import_command = history.add_subcommand("import", "Add what an export holds");
  import_command->add_option("file", *file, "An export")->required();
  import_command->callback([options, file, say_what] {
    Store store = options->open(Store::WhenMissing::create);
    say_what("imported", import_history(store, *file));
  });
}

void add_alerts(CLI::App& history, const Options& options) {
  CLI::App* alerts =
      history.add_subcommand("alerts", "What scans found, and what is thought of it");
  alerts->require_subcommand(1);
  alerts->add_subcommand("list", "All of them")->callback([options] { list_all_alerts(*options); });
  const auto id = std::make_shared<int>();
  const auto decision = std::make_shared<AlertDecision>();
  const auto add = [&](const char* name, const char* description, AlertState state) {
    CLI::App* command = alerts->add_subcommand(name, description);
    command->add_option("alert", *id, "Its number")->required();
    command->add_option("--reason", decision->reason, "Why")->required();
    command->callback([options, id, decision, state] {
      decision->state = state;
      options->open().write(
          [&](Transaction& transaction) { decide_alert(transaction, *id, *decision); });
    });
    return command;
  };
  add("confirm", "Fresh pairs of both builds have shown it", AlertState::confirmed);
  add("close", "The level did not change, it was the measuring", AlertState::invalid);
  CLI::App* accept =
      add("accept", "Tolerate it; a scan that finds more opens it again", AlertState::accepted);
  const CLI::Validator day(
      [](const std::string& text) {
        int year = 0, month = 0, day_of_month = 0, used = 0;
        const bool read =
            std::sscanf(text.c_str(), "%4d-%2d-%2d%n", &year, &month, &day_of_month, &used) == 3;
        const std::chrono::year_month_day date{
            std::chrono::year(year), std::chrono::month(static_cast<unsigned>(month)),
            std::chrono::day(static_cast<unsigned>(day_of_month))};
        const bool whole = read && used == 10 && text.size() == 10 && date.ok();
        return whole ? std::string() : text + " is no day such as 2026-12-31";
      },
      "DAY");
  accept->add_option("--expires", decision->expires, "The last day on which this holds")
      ->check(day);
  accept
      ->add_option_function<double>(
          "--ceiling", [decision](double value) { decision->ceiling = std::log1p(value / 100); },
          "Percent up to which this holds")
      ->check(CLI::Range(0.1, 10000.0));
}

}  // namespace

void add_history_commands(CLI::App& program, Exit& exit) {
  CLI::App* history = program.add_subcommand("history", "Keep runs, and look how rows change");
  history->require_subcommand(1);
  history->fallthrough();  // options of the store may follow the verb
  const auto options = std::make_shared<StoreOptions>();
  history->add_option("--store", options->address, "sqlite:PATH or postgresql://...")
      ->envname("IPC_COMPARE_STORE")
      ->capture_default_str();
  history
      ->add_option("--patience", options->patience_s,
                   "Seconds to wait for another process that writes")
      ->check(CLI::Range(0, 3600))
      ->capture_default_str();
  add_runs(*history, options, exit);
  add_rows(*history, options);
  add_exchange(*history, options);
  add_alerts(*history, options);
}

}  // namespace results
