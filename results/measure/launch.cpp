#include "results/measure/launch.hpp"

#include <algorithm>
#include <sstream>

#include <fmt/format.h>

namespace results {
namespace {

std::vector<std::string> command(const Benchmark& benchmark) {
  std::vector<std::string> words = {benchmark.program.string()};
  words.insert(words.end(), benchmark.arguments.begin(), benchmark.arguments.end());
  if (!benchmark.every_row) words.push_back("--benchmark_filter=" + filter_for(benchmark.rows));
  return words;
}

// Whether a line of Google Benchmark's JSON begins a row.
bool names_a_row(std::string_view line) {
  return line.starts_with("      \"name\": \"");
}

// Of these rows the one in which the benchmark says on standard error that it crashed or hung.
std::string broken_row(const std::string& errors, const std::vector<std::string>& rows) {
  constexpr std::string_view says = "broken row: ";
  std::istringstream lines(errors);
  for (std::string line; std::getline(lines, line);) {
    if (!line.starts_with(says)) continue;
    const Name name = parse_name(std::string_view(line).substr(says.size()));
    for (const std::string& row : rows) {
      if (parse_name(row) == name) return row;
    }
  }
  return {};
}

}  // namespace

std::string list_rows(Benchmark& benchmark, StopSignals& stop, std::chrono::milliseconds silence) {
  std::vector<std::string> words = command(benchmark);
  words.emplace_back("--benchmark_list_tests=true");
  const Ended ended = execute(words, stop, silence);
  std::istringstream lines(ended.output);
  for (std::string line; std::getline(lines, line);) {
    if (!line.empty()) benchmark.rows.push_back(line);
  }
  if (ended.success() || ended.interrupted) return {};
  return fmt::format("{} {} when asked for its rows (--benchmark_list_tests)", benchmark.name(),
                     ended.text());
}

std::string filter_for(const std::vector<std::string>& rows) {
  std::string filter;
  for (const std::string& row : rows) {
    filter += filter.empty() ? "^(" : "|";
    for (const char c : row) {
      if (std::string_view(".[]{}()*+?^$|\\").find(c) != std::string_view::npos) filter += '\\';
      filter += c;
    }
  }
  return filter + ")$";
}

Launch launch(const Benchmark& benchmark, StopSignals& stop, std::chrono::milliseconds silence,
              const std::function<void()>& on_row, const std::function<void()>& on_tick) {
  const MemoryFile report;
  std::vector<std::string> words = command(benchmark);
  words.emplace_back("--benchmark_format=json");  // on standard output: tells how far it got
  words.emplace_back("--benchmark_out=" + report.path());
  words.emplace_back("--benchmark_out_format=json");

  std::size_t finished = 0;
  const Ended ended = execute(
      words, stop, silence,
      [&](std::string_view line) {
        if (!names_a_row(line)) return;
        ++finished;
        on_row();
      },
      on_tick);

  Entries entries = read_entries(report.text());
  Launch result{.rows = std::move(entries.rows),
                .context = std::move(entries.context),
                .interrupted = ended.interrupted,
                .failures = {},
                .broken = {},
                .may_go_on = false,
                .errors = ended.errors};
  if (ended.interrupted) return result;
  for (const Json& row : result.rows) {
    if (!row.value("error_occurred", false)) continue;
    result.failures.push_back(fmt::format("{} {} at {}: {}", benchmark.name(), ended.text(),
                                          row.value("name", ""),
                                          row.value("error_message", "no reason was given")));
  }
  if (ended.success() && !entries.complete) {
    result.failures.push_back(fmt::format("{} wrote a result that cannot be read: {}",
                                          benchmark.name(), entries.problem));
  }
  if (ended.success() || (entries.complete && !result.failures.empty())) return result;
  // A binary that ends before its first row, and does not say that it is the row's fault, would
  // end there again.
  result.broken = broken_row(ended.errors, benchmark.rows);
  result.may_go_on = !result.broken.empty() || finished > 0;
  if (result.broken.empty() && finished < benchmark.rows.size()) {
    result.broken = benchmark.rows[finished];
  }
  result.failures.push_back(fmt::format(
      "{} {} {}{}", benchmark.name(), ended.text(),
      result.broken.empty() ? "after its last row" : "while measuring ", result.broken));
  return result;
}

}  // namespace results
