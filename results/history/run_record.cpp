#include "results/history/run_record.hpp"

#include <cmath>
#include <map>
#include <regex>
#include <utility>

#include <boost/uuid/name_generator.hpp>
#include <boost/uuid/uuid_io.hpp>
#include <fmt/format.h>

#include "results/failure.hpp"
#include "results/statistics/median.hpp"

namespace results {
namespace {

// A name-based UUID (RFC 4122, section 4.3) of everything that the run measured.
std::string content_id(const Run& run) {
  std::string content = run.about.dump();
  for (const Row& row : run.rows) {
    content += fmt::format("\n{} {} {}", row.name.text(), row.launch, row.label);
    for (const auto& [figure, value] : row.figures) content += fmt::format(" {}={}", figure, value);
  }
  return to_string(boost::uuids::name_generator_sha1(boost::uuids::uuid{})(content));
}

int version_of(const Run& run, const Row& row) {
  const auto found = row.figures.find("version");
  if (found == row.figures.end()) return 1;
  const double version = found->second;
  if (version < 1 || version > 1e6 || version != std::floor(version)) {
    throw Failure(Exit::usage,
                  fmt::format("{}: {}: version: is {}, not a whole number from 1 to 1000000",
                              run.file, row.name.text(), version));
  }
  return static_cast<int>(version);
}

}  // namespace

RunRecord record_of(const Run& run) {
  RunRecord record{.content_id = content_id(run),
                   .source = run.file,
                   .started = run.text("/started"),
                   .size = run.text("/size"),
                   .build = run.about.value("build", Json::object()),
                   .environment = environment_key(run.about)};
  const std::regex time("\\d{4}-\\d{2}-\\d{2}T\\d{2}:\\d{2}:\\d{2}Z");
  if (!std::regex_match(record.started, time)) {
    throw Failure(Exit::usage,
                  fmt::format("{}: context.ipc_compare.started: is \"{}\", not a time such as "
                              "2026-01-31T12:00:00Z",
                              run.file, record.started));
  }

  // Of what one launch repeats, the median stands for the launch.
  using Launches = std::map<int, std::vector<double>>;
  struct Benchmark {
    int version;
    std::map<std::string, Launches> figures = {};
  };
  std::map<std::string, Benchmark> benchmarks;
  for (const Row& row : run.rows) {
    const int version = version_of(run, row);
    Benchmark& benchmark =
        benchmarks.try_emplace(row.name.text(), Benchmark{version}).first->second;
    if (benchmark.version != version) {
      throw Failure(Exit::usage, fmt::format("{}: {}: is there in versions {} and {}", run.file,
                                             row.name.text(), benchmark.version, version));
    }
    for (const auto& [figure, value] : row.figures) {
      if (figure != "version") benchmark.figures[figure][row.launch].push_back(value);
    }
  }
  for (const auto& [name, benchmark] : benchmarks) {
    for (const auto& [figure, launches] : benchmark.figures) {
      CellRecord cell{.benchmark = name, .metric = figure, .version = benchmark.version};
      for (const auto& launch : launches) cell.values.push_back(median(launch.second));
      const Summary summary = summarize(cell.values);
      cell.launches = static_cast<int>(summary.launches);
      cell.median = summary.median;
      cell.lower = summary.interval.lower;
      cell.upper = summary.interval.upper;
      record.cells.push_back(std::move(cell));
    }
  }
  return record;
}

}  // namespace results
