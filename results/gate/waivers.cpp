#include "results/gate/waivers.hpp"

#include <charconv>
#include <cmath>
#include <ctime>

#include <fmt/chrono.h>
#include <fmt/format.h>

#include "results/gate/settings.hpp"
#include "results/units.hpp"

namespace results {
namespace {

std::string date_text(Date date) {
  return fmt::format("{:04}-{:02}-{:02}", static_cast<int>(date.year()),
                     static_cast<unsigned>(date.month()), static_cast<unsigned>(date.day()));
}

// "+15 %" -> ln(1.15).
double read_ceiling(const Settings& settings) {
  std::string text;
  settings.read("ceiling", text);
  double percent = 0;
  const char* end = text.data() + text.size();
  const auto parsed = std::from_chars(text.data() + (text.starts_with('+') ? 1 : 0), end, percent);
  const std::string_view unit(parsed.ptr, end);
  if (parsed.ec != std::errc() || (unit != " %" && unit != "%") || !(percent > 0) ||
      percent > 10000) {
    settings.reject("ceiling", "must be as \"+15 %\", above 0 and at most 10000");
  }
  return std::log1p(percent / 100);
}

}  // namespace

std::string Waiver::text() const {
  return fmt::format("{} of {}, up to {} until {}", metric, row.text(), percent_text(ceiling),
                     date_text(expires));
}

std::vector<Waiver> read_waivers(const std::filesystem::path& file) {
  const toml::table document = read_toml(file);
  std::vector<Waiver> waivers;
  for (const toml::table* table : Settings(file, document, {"waivers"}).tables("waivers")) {
    const Settings settings(file, *table,
                            {"row", "metric", "ceiling", "expires", "reason", "issue"});
    settings.require({"row", "metric", "ceiling", "expires", "reason", "issue"});
    Waiver waiver{.row = settings.expression("row"),
                  .metric = {},
                  .ceiling = read_ceiling(settings),
                  .expires = {},
                  .reason = {},
                  .issue = {}};
    settings.read("metric", waiver.metric);
    settings.read("expires", waiver.expires);
    settings.read("reason", waiver.reason);
    settings.read("issue", waiver.issue);
    waivers.push_back(std::move(waiver));
  }
  return waivers;
}

std::vector<std::string> apply(const std::vector<Waiver>& waivers, Date today,
                               std::vector<Comparison>& comparisons) {
  std::vector<std::string> lines;
  for (const Waiver& waiver : waivers) {
    bool found = false;
    for (Comparison& row : comparisons) {
      if (row.metric != waiver.metric || !waiver.row.finds(row.row)) continue;
      found = true;
      if (row.verdict != Verdict::regression || today > waiver.expires) continue;
      if (row.effect <= waiver.ceiling) {
        row.waiver = fmt::format("{} ({})", waiver.reason, waiver.issue);
      } else {
        lines.push_back(fmt::format("the waiver for {} does not hold: {} is {} slower",
                                    waiver.text(), row.row, percent_text(row.effect)));
      }
    }
    if (today > waiver.expires) {
      lines.push_back(fmt::format("the waiver for {} has expired", waiver.text()));
    } else if (!found) {
      lines.push_back(fmt::format("the waiver for {} finds no row", waiver.text()));
    }
  }
  return lines;
}

Date today() {
  return Date(std::chrono::floor<std::chrono::days>(std::chrono::system_clock::now()));
}

}  // namespace results
