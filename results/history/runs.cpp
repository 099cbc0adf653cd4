#include "results/history/runs.hpp"

#include <algorithm>
#include <bit>
#include <charconv>
#include <cstdint>
#include <iterator>
#include <set>
#include <string_view>
#include <tuple>

#include <fmt/format.h>

#include "results/history/benchmarks.hpp"

namespace results {
namespace {

constexpr std::size_t digits = 16;  // of a double's bits in hexadecimal

std::string to_hex(const std::vector<double>& values) {
  std::string hex;
  for (const double value : values) {
    fmt::format_to(std::back_inserter(hex), "{:016x}", std::bit_cast<std::uint64_t>(value));
  }
  return hex;
}

std::vector<double> from_hex(const std::string& hex) {
  std::vector<double> values;
  for (std::size_t begin = 0; begin + digits <= hex.size(); begin += digits) {
    std::uint64_t bits = 0;
    std::from_chars(hex.data() + begin, hex.data() + begin + digits, bits, 16);
    values.push_back(std::bit_cast<double>(bits));
  }
  return values;
}

// Many rows by one statement: a round trip to a server for each would take most of the time. The
// rows are numbers, which fmt writes so that they are read as the same.
class Inserter {
 public:
  Inserter(soci::session& sql, std::string_view table) : sql_(sql), table_(table) {}

  void add(const std::string& row) {
    rows_ += rows_.empty() ? "(" : ",(";
    rows_ += row + ")";
    if (rows_.size() > 100'000) flush();
  }

  void flush() {
    if (!rows_.empty()) sql_ << "insert into " << table_ << " values " << rows_;
    rows_.clear();
  }

 private:
  soci::session& sql_;
  std::string_view table_;
  std::string rows_;
};

std::string commit_of(const Json& build) {
  const bool known = build.contains("commit") && build["commit"].is_string();
  return known ? build["commit"].get<std::string>() : std::string();
}

int environment_number(Transaction& transaction, const EnvironmentKey& environment) {
  const std::string hash = environment.hash();
  int id = 0;
  transaction.sql << "select id from environment where hash = :hash", soci::use(hash, "hash"),
      soci::into(id);
  if (transaction.sql.got_data()) return id;
  const std::string fields = Json(environment.fields).dump();
  transaction.sql << "insert into environment (hash, fields) values (:hash, :fields) returning id",
      soci::use(hash, "hash"), soci::use(fields, "fields"), soci::into(id);
  return id;
}

void add_cells(Transaction& transaction, const RunRecord& record, int run) {
  Numbers benchmarks(transaction, "benchmark");
  Numbers metrics(transaction, "metric");
  Inserter cells(transaction.sql,
                 "cell (benchmark_id, metric_id, run_id, version, launches, median, lower_bound,"
                 " upper_bound)");
  Inserter samples(transaction.sql, "sample (run_id, benchmark_id, metric_id, launch_values)");
  std::set<std::pair<int, int>> seen;
  for (const CellRecord& cell : record.cells) {
    const int benchmark = benchmarks.add(cell.benchmark);
    const int metric = metrics.add(cell.metric);
    if (!seen.emplace(benchmark, metric).second) {
      throw Failure(Exit::usage,
                    fmt::format("{}: {} is there twice, maybe under a name that it had before",
                                record.source, cell.benchmark));
    }
    cells.add(fmt::format("{},{},{},{},{},{},{},{}", benchmark, metric, run, cell.version,
                          cell.launches, cell.median, cell.lower, cell.upper));
    if (cell.values.empty()) continue;
    samples.add(fmt::format("{},{},{},{}{}{}", run, benchmark, metric,
                            transaction.dialect.blob_begin, to_hex(cell.values),
                            transaction.dialect.blob_end));
  }
  cells.flush();
  samples.flush();
}

std::vector<CellRecord> read_cells(Transaction& transaction, int run_id, bool with_values) {
  const std::string values =
      with_values ? fmt::format("coalesce({}sample.launch_values{}, '')",
                                transaction.dialect.hex_begin, transaction.dialect.hex_end)
                  : "''";
  const std::string join = with_values ? " left join sample on sample.run_id = cell.run_id"
                                         " and sample.benchmark_id = cell.benchmark_id"
                                         " and sample.metric_id = cell.metric_id"
                                       : "";
  CellRecord cell;
  std::string hex;
  soci::statement rows =
      (transaction.sql.prepare
           << "select benchmark.name, metric.name, cell.version, cell.launches, cell.median,"
              " cell.lower_bound, cell.upper_bound, "
           << values
           << " from cell join benchmark on benchmark.id = cell.benchmark_id"
              " join metric on metric.id = cell.metric_id"
           << join << " where cell.run_id = :run",
       soci::use(run_id, "run"), soci::into(cell.benchmark), soci::into(cell.metric),
       soci::into(cell.version), soci::into(cell.launches), soci::into(cell.median),
       soci::into(cell.lower), soci::into(cell.upper), soci::into(hex));
  rows.execute();
  std::vector<CellRecord> cells;
  while (rows.fetch()) {
    cell.values = from_hex(hex);
    cells.push_back(cell);
  }
  // Not by the database, whose order of texts depends on its locale.
  std::ranges::sort(cells, {},
                    [](const CellRecord& each) { return std::tie(each.benchmark, each.metric); });
  return cells;
}

}  // namespace

Added add_run(Transaction& transaction, const RunRecord& record) {
  if (const auto known = find_run(transaction, record.content_id)) {
    return {.id = *known, .is_new = false};
  }
  const int environment = environment_number(transaction, record.environment);
  const std::string build = record.build.dump();
  const std::string commit = commit_of(record.build);
  int id = 0;
  transaction.sql << "insert into run"
                     " (content_id, source, started, size, commit_id, build, environment_id)"
                     " values (:content, :source, :started, :size, :commit, :build, :environment)"
                     " returning id",
      soci::use(record.content_id, "content"), soci::use(record.source, "source"),
      soci::use(record.started, "started"), soci::use(record.size, "size"),
      soci::use(commit, "commit"), soci::use(build, "build"), soci::use(environment, "environment"),
      soci::into(id);
  add_cells(transaction, record, id);
  return {.id = id, .is_new = true};
}

std::vector<StoredRun> list_runs(Transaction& transaction) {
  StoredRun run;
  soci::statement rows =
      (transaction.sql.prepare << "select run.id, started, source, size, commit_id, hash,"
                                  " (select count(*) from cell where cell.run_id = run.id)"
                                  " from run join environment on environment.id = environment_id"
                                  " order by started, run.id",
       soci::into(run.id), soci::into(run.started), soci::into(run.source), soci::into(run.size),
       soci::into(run.commit), soci::into(run.environment_hash), soci::into(run.cells));
  rows.execute();
  std::vector<StoredRun> runs;
  while (rows.fetch()) runs.push_back(run);
  return runs;
}

std::vector<int> run_numbers(Transaction& transaction) {
  int id = 0;
  soci::statement rows =
      (transaction.sql.prepare << "select id from run order by started, id", soci::into(id));
  rows.execute();
  std::vector<int> numbers;
  while (rows.fetch()) numbers.push_back(id);
  return numbers;
}

std::optional<int> find_run(Transaction& transaction, const std::string& content_id) {
  int id = 0;
  transaction.sql << "select id from run where content_id = :content",
      soci::use(content_id, "content"), soci::into(id);
  if (!transaction.sql.got_data()) return std::nullopt;
  return id;
}

std::optional<RunRecord> read_run(Transaction& transaction, int id) {
  RunRecord record;
  std::string build;
  std::string environment;
  transaction.sql << "select content_id, source, started, size, build, fields"
                     " from run join environment on environment.id = environment_id"
                     " where run.id = :id",
      soci::use(id, "id"), soci::into(record.content_id), soci::into(record.source),
      soci::into(record.started), soci::into(record.size), soci::into(build),
      soci::into(environment);
  if (!transaction.sql.got_data()) return std::nullopt;
  record.build = Json::parse(build);
  record.environment.fields = Json::parse(environment).get<std::map<std::string, std::string>>();
  record.cells = read_cells(transaction, id, true);
  return record;
}

std::vector<CellRecord> read_cells(Transaction& transaction, int run_id) {
  return read_cells(transaction, run_id, false);
}

int prune_values(Transaction& transaction, int keep) {
  const std::string_view older =
      " from sample where run_id not in"
      " (select id from run order by started desc, id desc limit :keep)";
  int runs = 0;
  transaction.sql << "select count(distinct run_id)" << older, soci::use(keep, "keep"),
      soci::into(runs);
  transaction.sql << "delete" << older, soci::use(keep, "keep");
  return runs;
}

}  // namespace results
