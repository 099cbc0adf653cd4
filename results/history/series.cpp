#include "results/history/series.hpp"

#include <algorithm>
#include <cmath>
#include <map>
#include <utility>

#include <fmt/format.h>

#include "results/compare/comparison.hpp"
#include "results/history/benchmarks.hpp"
#include "results/name.hpp"

namespace results {
namespace {

struct RunOrder {
  std::vector<int> ids;
  std::map<int, std::pair<std::int64_t, std::string>> places;  // of an id: index, comparable runs
};

RunOrder read_order(Transaction& transaction) {
  int id = 0;
  std::string environment;
  std::string size;
  soci::statement rows =
      (transaction.sql.prepare << "select run.id, hash, size from run"
                                  " join environment on environment.id = environment_id"
                                  " order by started, run.id",
       soci::into(id), soci::into(environment), soci::into(size));
  rows.execute();
  RunOrder order;
  while (rows.fetch()) {
    order.places[id] = {static_cast<std::int64_t>(order.ids.size()), environment + " " + size};
    order.ids.push_back(id);
  }
  return order;
}

std::vector<std::pair<int, std::string>> read_benchmarks(Transaction& transaction) {
  int id = 0;
  std::string name;
  soci::statement rows = (transaction.sql.prepare << "select id, name from benchmark",
                          soci::into(id), soci::into(name));
  rows.execute();
  std::vector<std::pair<int, std::string>> benchmarks;
  while (rows.fetch()) benchmarks.emplace_back(id, name);
  std::ranges::sort(benchmarks, {}, &std::pair<int, std::string>::second);
  return benchmarks;
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
  RowPoint point;
  soci::statement rows =
      (transaction.sql.prepare
           << "select run.id, started, commit_id, hash, size, version, launches, median,"
              " lower_bound, upper_bound from cell join run on run.id = run_id"
              " join environment on environment.id = environment_id"
              " where benchmark_id = :benchmark and metric_id = :metric order by started, run.id",
       soci::use(benchmark_id, "benchmark"), soci::use(metric_id, "metric"), soci::into(point.run),
       soci::into(point.started), soci::into(point.commit), soci::into(point.environment),
       soci::into(point.size), soci::into(point.version), soci::into(point.launches),
       soci::into(point.median), soci::into(point.lower), soci::into(point.upper));
  rows.execute();
  std::vector<RowPoint> points;
  while (rows.fetch()) points.push_back(point);
  return points;
}

RowHistory read_history(Transaction& transaction, const std::vector<std::string>& metrics,
                        const std::function<bool(const std::string& row)>& takes) {
  RunOrder order = read_order(transaction);
  const Numbers metric_numbers(transaction, "metric");
  int benchmark_id = 0;
  int metric_id = 0;
  int run = 0;
  int version = 0;
  double median = 0;
  soci::statement rows =
      (transaction.sql.prepare << "select run_id, version, median from cell"
                                  " where benchmark_id = :benchmark and metric_id = :metric",
       soci::use(benchmark_id, "benchmark"), soci::use(metric_id, "metric"), soci::into(run),
       soci::into(version), soci::into(median));
  RowHistory history;
  for (const auto& [id, row] : read_benchmarks(transaction)) {
    if (!takes(row)) continue;
    for (const std::string& metric : metrics) {
      benchmark_id = id;
      metric_id = metric_numbers.find(metric);
      const double direction = higher_is_better(metric) ? -1 : 1;
      std::map<std::string, std::vector<Point>> comparable;
      rows.execute();
      while (rows.fetch()) {
        if (median <= 0) continue;  // has no logarithm
        const auto& [place, environment] = order.places.at(run);
        comparable[environment].push_back(
            {.run = place, .value = direction * std::log(median), .segment = version});
      }
      for (auto& [environment, points] : comparable) {
        std::ranges::sort(points, {}, &Point::run);
        history.series.push_back({.row = row,
                                  .metric = metric,
                                  .environment = environment,
                                  .mechanism = mechanism_of(row),
                                  .points = std::move(points)});
      }
    }
  }
  history.runs = std::move(order.ids);
  return history;
}

}  // namespace results
