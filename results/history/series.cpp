#include "results/history/series.hpp"

#include <algorithm>
#include <cmath>
#include <iterator>
#include <map>
#include <span>
#include <utility>

#include <fmt/format.h>

#include "results/compare/comparison.hpp"
#include "results/history/benchmarks.hpp"
#include "results/name.hpp"

namespace results {
namespace {

// Their hashes by their numbers. They are few; a join would look one up for each row of its result.
std::map<int, std::string> read_environments(Transaction& transaction) {
  int id = 0;
  std::string hash;
  soci::statement rows = (transaction.sql.prepare << "select id, hash from environment",
                          soci::into(id), soci::into(hash));
  rows.execute();
  std::map<int, std::string> hashes;
  while (rows.fetch()) hashes[id] = hash;
  return hashes;
}

struct RunOrder {
  std::vector<int> ids;
  std::map<int, std::pair<std::int64_t, std::string>> places;  // of an id: index, comparable runs
};

RunOrder read_order(Transaction& transaction) {
  const auto environments = read_environments(transaction);
  int id = 0;
  int environment = 0;
  std::string size;
  soci::statement rows =
      (transaction.sql.prepare << "select id, environment_id, size from run order by started, id",
       soci::into(id), soci::into(environment), soci::into(size));
  rows.execute();
  RunOrder order;
  while (rows.fetch()) {
    order.places[id] = {static_cast<std::int64_t>(order.ids.size()),
                        environments.at(environment) + " " + size};
    order.ids.push_back(id);
  }
  return order;
}

using Benchmark = std::pair<int, std::string>;  // its number and its name

std::vector<Benchmark> read_benchmarks(Transaction& transaction) {
  int id = 0;
  std::string name;
  soci::statement rows = (transaction.sql.prepare << "select id, name from benchmark",
                          soci::into(id), soci::into(name));
  rows.execute();
  std::vector<Benchmark> benchmarks;
  while (rows.fetch()) benchmarks.emplace_back(id, name);
  std::ranges::sort(benchmarks, {}, &Benchmark::second);
  return benchmarks;
}

// How many rows are asked for by one statement. PostgreSQL keeps cells in the order in which they
// came, run after run: each statement visits the pages of all runs, whether it is for one row or
// for many. The client holds the whole of its answer, which is why it is not for all rows.
constexpr std::size_t rows_at_once = 64;

using Points = std::map<std::string, std::vector<Point>>;  // by what runs must have in common

// The points of these benchmarks, by their numbers; in no order.
std::map<int, Points> read_points(Transaction& transaction, const RunOrder& order,
                                  std::span<const Benchmark> benchmarks, int metric_id) {
  std::vector<int> numbers;
  std::ranges::transform(benchmarks, std::back_inserter(numbers), &Benchmark::first);
  int benchmark = 0;
  int run = 0;
  int version = 0;
  double median = 0;
  soci::statement rows =
      (transaction.sql.prepare
           << "select benchmark_id, run_id, version, median from cell where metric_id = :metric"
           << fmt::format(" and benchmark_id in ({})", fmt::join(numbers, ",")),
       soci::use(metric_id, "metric"), soci::into(benchmark), soci::into(run), soci::into(version),
       soci::into(median));
  rows.execute();
  std::map<int, Points> found;
  while (rows.fetch()) {
    if (median <= 0) continue;  // has no logarithm
    const auto& [place, environment] = order.places.at(run);
    found[benchmark][environment].push_back(
        {.run = place, .value = std::log(median), .segment = version});
  }
  return found;
}

// What a row is about is its most significant key: the channel, the lock, the pool.
std::string mechanism_of(const std::string& row) {
  const Name name = parse_name(row);
  return name.keys.empty() ? name.scenario : name.keys.front().second;
}

}  // namespace

std::vector<RowPoint> read_row(Transaction& transaction, const std::string& row,
                               const std::string& metric) {
  const int benchmark_id = Numbers(transaction, "benchmark").find(row);
  const int metric_id = Numbers(transaction, "metric").find(metric);
  if (benchmark_id == 0 || metric_id == 0) {
    throw Failure(Exit::usage, fmt::format("{}: there is no such {} in the store",
                                           benchmark_id == 0 ? row : metric,
                                           benchmark_id == 0 ? "row" : "metric"));
  }
  const auto environments = read_environments(transaction);
  RowPoint point;
  int environment = 0;
  soci::statement rows =
      (transaction.sql.prepare
           << "select run.id, started, commit_id, environment_id, size, version, launches, median,"
              " lower_bound, upper_bound from cell join run on run.id = run_id"
              " where benchmark_id = :benchmark and metric_id = :metric order by started, run.id",
       soci::use(benchmark_id, "benchmark"), soci::use(metric_id, "metric"), soci::into(point.run),
       soci::into(point.started), soci::into(point.commit), soci::into(environment),
       soci::into(point.size), soci::into(point.version), soci::into(point.launches),
       soci::into(point.median), soci::into(point.lower), soci::into(point.upper));
  rows.execute();
  std::vector<RowPoint> points;
  while (rows.fetch()) {
    point.environment = environments.at(environment);
    points.push_back(point);
  }
  return points;
}

RowHistory read_history(Transaction& transaction, const std::vector<std::string>& metrics,
                        const std::function<bool(const std::string& row)>& takes) {
  RunOrder order = read_order(transaction);
  const Numbers metric_numbers(transaction, "metric");
  auto benchmarks = read_benchmarks(transaction);
  std::erase_if(benchmarks, [&](const auto& benchmark) { return !takes(benchmark.second); });
  RowHistory history;
  for (const std::string& metric : metrics) {
    const double direction = higher_is_better(metric) ? -1 : 1;
    for (std::span<const Benchmark> rest = benchmarks; !rest.empty();) {
      const auto some = rest.first(std::min(rest.size(), rows_at_once));
      rest = rest.subspan(some.size());
      auto cells = read_points(transaction, order, some, metric_numbers.find(metric));
      for (const auto& [id, row] : some) {
        for (auto& [environment, points] : cells[id]) {
          std::ranges::sort(points, {}, &Point::run);
          for (Point& point : points) point.value *= direction;
          history.series.push_back({.row = row,
                                    .metric = metric,
                                    .environment = environment,
                                    .mechanism = mechanism_of(row),
                                    .points = std::move(points)});
        }
      }
    }
  }
  history.runs = std::move(order.ids);
  return history;
}

}  // namespace results
