#include "results/gate/policy.hpp"

#include <algorithm>
#include <cmath>

#include <fmt/format.h>

#include "results/gate/settings.hpp"

namespace results {
namespace {

// With n pairs the smallest p of a signed-rank test is 2^-n: fewer pairs than this can never show
// anything at this level, and a gate that cannot be red is no gate.
std::size_t fewest_pairs(double alpha) {
  return static_cast<std::size_t>(std::ceil(-std::log2(alpha)));
}

void require_pairs(const Settings& settings, std::string_view key, std::size_t pairs,
                   std::string_view alpha_key, double alpha) {
  if (pairs >= fewest_pairs(alpha)) return;
  settings.reject(settings.has(key) ? key : alpha_key,
                  fmt::format("but {} {} needs {} of at least {}, not {}: p of n pairs is never "
                              "below 2^-n",
                              alpha_key, alpha, key, fewest_pairs(alpha), pairs));
}

}  // namespace

bool Policy::takes(const std::string& row) const {
  return rows.empty() || std::any_of(rows.begin(), rows.end(), [&](const RowExpression& wanted) {
           return wanted.finds(row);
         });
}

double Policy::floor(const std::string& row) const {
  const auto found = std::find_if(floors.begin(), floors.end(),
                                  [&](const RowFloor& floor) { return floor.rows.finds(row); });
  return std::log1p((found == floors.end() ? floor_percent : found->percent) / 100);
}

Policy read_policy(const std::filesystem::path& file) {
  const toml::table document = read_toml(file);
  const Settings settings(file, document,
                          {"rows", "metrics", "floor_percent", "floors", "alpha", "screen_pairs",
                           "screen_alpha", "confirm_pairs", "budget_minutes", "discarded_share_max",
                           "min_time_s", "repetitions", "inconclusive", "arguments"});
  Policy policy;
  settings.read("rows", policy.rows);
  settings.read("metrics", policy.metrics);
  if (policy.metrics.empty()) settings.reject("metrics", "must name one at least");
  settings.read("floor_percent", policy.floor_percent, 0, 1000);
  for (const toml::table* table : settings.tables("floors")) {
    const Settings floor(file, *table, {"rows", "percent"});
    floor.require({"rows", "percent"});
    RowFloor& added = policy.floors.emplace_back(RowFloor{floor.expression("rows")});
    floor.read("percent", added.percent, 0, 1000);
  }
  settings.read("alpha", policy.alpha, 1e-6, 0.5);
  settings.read("screen_alpha", policy.screen_alpha, 1e-6, 0.5);
  settings.read_whole<std::size_t>("screen_pairs", policy.screen_pairs, 1, 1000);
  settings.read_whole<std::size_t>("confirm_pairs", policy.confirm_pairs, 1, 1000);
  require_pairs(settings, "screen_pairs", policy.screen_pairs, "screen_alpha", policy.screen_alpha);
  require_pairs(settings, "confirm_pairs", policy.confirm_pairs, "alpha", policy.alpha);
  settings.read("budget_minutes", policy.budget_minutes, 0.01, 1440);
  settings.read("discarded_share_max", policy.discarded_share_max, 0, 1);
  settings.read("min_time_s", policy.min_time_s, 0.001, 3600);
  settings.read_whole("repetitions", policy.repetitions, 1, 1000);
  std::string inconclusive = policy.inconclusive_fails ? "fail" : "pass";
  settings.read("inconclusive", inconclusive);
  if (inconclusive != "pass" && inconclusive != "fail") {
    settings.reject("inconclusive", "must be \"pass\" or \"fail\"");
  }
  policy.inconclusive_fails = inconclusive == "fail";
  settings.read("arguments", policy.arguments);
  return policy;
}

}  // namespace results
