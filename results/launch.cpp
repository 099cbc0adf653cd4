#include "results/launch.hpp"

#include <algorithm>
#include <sstream>

#include <fmt/format.h>

namespace results {
namespace {

std::vector<std::string> command(const Benchmark& benchmark) {
  std::vector<std::string> words = {benchmark.program.string(), "--size=" + benchmark.size};
  if (!benchmark.filter.empty()) words.push_back("--benchmark_filter=" + benchmark.filter);
  return words;
}

// Whether a line of Google Benchmark's JSON begins a row.
bool names_a_row(std::string_view line) {
  return line.starts_with("      \"name\": \"");
}

}  // namespace

std::string list_rows(Benchmark& benchmark, StopSignals& stop, std::chrono::milliseconds silence) {
  std::vector<std::string> words = command(benchmark);
  words.emplace_back("--benchmark_list_tests=true");
  const Ended ended = execute(words, stop, silence);
  std::istringstream lines(ended.output);
  for (std::string line; std::getline(lines, line);) {
    if (line.find('/') != std::string::npos) benchmark.rows.push_back(line);
  }
  // A binary of which the filter takes nothing says so and leaves with 2.
  const bool nothing_asked = ended.code == 2 && !benchmark.filter.empty();
  if (ended.success() || ended.interrupted || nothing_asked) return {};
  return fmt::format("{} {} when asked for its rows (--benchmark_list_tests)", benchmark.name(),
                     ended.text());
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
                .hung = ended.hung,
                .failure = {},
                .row = {},
                .errors = ended.errors};
  const Json* broken = nullptr;
  for (const Json& row : result.rows) {
    if (row.value("error_occurred", false)) broken = &row;
  }
  if (ended.interrupted) return result;
  if (broken != nullptr) {
    result.row = broken->value("name", "");
    result.failure = fmt::format("{} {} at {}: {}", benchmark.name(), ended.text(), result.row,
                                 broken->value("error_message", "no reason was given"));
  } else if (!ended.success()) {
    if (finished < benchmark.rows.size()) result.row = benchmark.rows[finished];
    result.failure =
        fmt::format("{} {} {}{}", benchmark.name(), ended.text(),
                    result.row.empty() ? "after its last row" : "while measuring ", result.row);
  } else if (!entries.complete) {
    result.failure =
        fmt::format("{} wrote a result that cannot be read: {}", benchmark.name(), entries.problem);
  }
  return result;
}

}  // namespace results
