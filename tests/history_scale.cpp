// How large a store gets and how long one waits for it: fills one with made-up runs and prints what
// was measured. history_scale sqlite|postgresql RUNS ROWS
#include <soci/sqlite3/soci-sqlite3.h>
#include <sys/resource.h>

#include <chrono>
#include <cstdio>
#include <filesystem>
#include <optional>
#include <random>
#include <string>
#include <utility>
#include <vector>

#include <fmt/format.h>

#include "results/history/scan.hpp"
#include "results/history/series.hpp"
#include "tests/history_fixture.hpp"
#include "tests/postgres_server.hpp"

namespace {

namespace fs = std::filesystem;
using results::RunRecord;
using results::Store;
using results::Transaction;
using Clock = std::chrono::steady_clock;

constexpr int repetitions = 20;
constexpr int runs_with_values = 100;  // what `history prune` keeps by default

double seconds_since(Clock::time_point begin) {
  return std::chrono::duration<double>(Clock::now() - begin).count();
}

// The shortest of three times, and what the work counted.
template <class Work>
std::pair<double, std::size_t> shortest_s(Work work) {
  std::pair<double, std::size_t> best{1e9, 0};
  for (int i = 0; i < 3; ++i) {
    const Clock::time_point begin = Clock::now();
    const std::size_t counted = work();
    best = std::min(best, {seconds_since(begin), counted});
  }
  return best;
}

std::string row_name(int row) {
  return fmt::format("round_trip/channel:c{}/peer:process/bytes:{}", row % 25, row);
}

RunRecord made_up_run(int number, int rows, bool with_values, std::mt19937& random) {
  std::normal_distribution<double> noise(1, 0.02);
  RunRecord record = history::record(history::run_file(history::minute(number), {{"row", 1}}));
  record.content_id = fmt::format("made-up-{}", number);
  record.cells.clear();
  for (int row = 0; row < rows; ++row) {
    const double median = 100 * (row + 1) * noise(random);
    results::CellRecord cell{.benchmark = row_name(row),
                             .metric = "real_time_ns",
                             .launches = repetitions,
                             .median = median,
                             .lower = median * 0.99,
                             .upper = median * 1.01};
    for (int i = 0; with_values && i < repetitions; ++i) {
      cell.values.push_back(median * noise(random));
    }
    record.cells.push_back(std::move(cell));
  }
  return record;
}

// A run file as one with `repetitions` launches would be.
void write_large_file(const fs::path& file, int started, int rows) {
  std::vector<std::pair<std::string, double>> times;
  for (int row = 0; row < rows; ++row) times.emplace_back(row_name(row), 100 * (row + 1));
  history::write(file, history::run_file(history::minute(started), times, repetitions));
}

double megabytes_of(const std::string& address, Store& store) {
  if (address.starts_with("sqlite:")) {
    soci::session(soci::sqlite3, address.substr(7)) << "pragma wal_checkpoint(truncate)";
    return static_cast<double>(fs::file_size(address.substr(7))) / 1e6;
  }
  return store.read([](Transaction& transaction) {
    double bytes = 0;
    transaction.sql << "select sum(pg_total_relation_size(oid)) from pg_class"
                       " where relkind = 'r' and relnamespace = 'ipc_compare'::regnamespace",
        soci::into(bytes);
    return bytes / 1e6;
  });
}

void measure(const std::string& address, int runs, int rows) {
  Store store(address, Store::WhenMissing::create);
  std::mt19937 random(1);
  double storing_s = 0;
  for (int run = 0; run < runs; ++run) {
    const RunRecord record = made_up_run(run, rows, run >= runs - runs_with_values, random);
    const Clock::time_point begin = Clock::now();
    history::add(store, record);
    storing_s += seconds_since(begin);
  }
  const double cells = static_cast<double>(runs) * rows;
  fmt::print("{} runs of {} rows: {:.1f} s, {:.2f} ms a run\n", runs, rows, storing_s,
             1e3 * storing_s / runs);

  const Scratch scratch;
  std::vector<double> ingest_s;
  for (int i = 0; i < 3; ++i) {
    const fs::path file = scratch.path() / "run.json";
    write_large_file(file, runs + i, rows);
    const Clock::time_point begin = Clock::now();
    history::add(store, results::record_of(results::read_run_file(file)));
    ingest_s.push_back(seconds_since(begin));
  }
  fmt::print("ingest of a file of {} rows, {} launches: {:.3f} s\n", rows, repetitions,
             *std::min_element(ingest_s.begin(), ingest_s.end()));

  const auto latest = shortest_s([&] {
    return store.read([](Transaction& transaction) {
      return results::read_cells(transaction, results::run_numbers(transaction).back()).size();
    });
  });
  fmt::print("latest run, {} cells: {:.1f} ms\n", latest.second, 1e3 * latest.first);
  const auto series = shortest_s([&] {
    return store.read([&](Transaction& transaction) {
      return results::read_row(transaction, row_name(rows / 2), "real_time_ns").size();
    });
  });
  fmt::print("one row, {} runs: {:.1f} ms\n", series.second, 1e3 * series.first);
  const auto everything = [&] {
    return store.read([&](Transaction& transaction) {
      return results::read_history(transaction, {"real_time_ns"},
                                   [](const std::string&) { return true; });
    });
  };
  const auto reading = shortest_s([&] { return everything().series.size(); });
  fmt::print("everything for a scan, {} series: {:.2f} s\n", reading.second, reading.first);
  const std::vector<results::Series> all = everything().series;
  const Clock::time_point scan_start = Clock::now();
  const std::size_t changes = results::scan(all).changes.size();
  fmt::print("scan of them: {:.2f} s, {} changes\n",
             std::chrono::duration<double>(Clock::now() - scan_start).count(), changes);
  const double megabytes = megabytes_of(address, store);
  fmt::print("size: {:.1f} MB, {:.0f} bytes a cell, with the values of {} runs\n", megabytes,
             1e6 * megabytes / cells, std::min(runs, runs_with_values));
  rusage usage{};
  ::getrusage(RUSAGE_SELF, &usage);
  fmt::print("peak of memory: {} MB\n", usage.ru_maxrss / 1024);
}

}  // namespace

int main(int argc, char** argv) {
  if (argc != 4) {
    fmt::print(stderr, "history_scale sqlite|postgresql RUNS ROWS\n");
    return 2;
  }
  const std::string kind = argv[1];
  if (kind == "postgresql" && PostgresServer::programs().empty()) {
    fmt::print("skipped: PostgreSQL is not installed\n");
    return 0;
  }
  const Scratch scratch;
  std::optional<PostgresServer> server;
  if (kind == "postgresql") server.emplace();
  measure(server ? server->address() : "sqlite:" + (scratch.path() / "h.db").string(),
          std::stoi(argv[2]), std::stoi(argv[3]));
  return 0;
}
