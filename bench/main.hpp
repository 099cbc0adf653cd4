// main() of a benchmark binary: flags, filter, watchdog, exit code.
#pragma once

#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <exception>
#include <fstream>
#include <functional>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include <benchmark/benchmark.h>

#include "bench/row.hpp"
#include "bench/settings.hpp"
#include "bench/watchdog.hpp"

namespace bench {

// What follows `flag` in an argument that starts with it.
inline std::optional<std::string_view> value_of(std::string_view argument, std::string_view flag) {
  if (!argument.starts_with(flag)) return std::nullopt;
  return argument.substr(flag.size());
}

inline void print_help() {
  std::printf(
      "[--size=smoke|quick|full]  (default: quick)\n"
      "[--after=ROW]  only the rows that come after this one\n"
      "and the flags of Google Benchmark:\n\n");
  benchmark::PrintDefaultHelp();
}

// What Google Benchmark calls for a flag whose value it refuses; it would leave with 0.
inline void refuse_flags() {
  std::fprintf(stderr, "a --benchmark_ flag has a value that cannot be; --help names them all\n");
  std::exit(exit_code::usage);
}

struct Command {
  Settings settings;
  std::string after;                // the row behind which to begin; none: with the first
  std::vector<std::string> google;  // what Google Benchmark hears
};

// Reads the command line; returns the exit code when there is nothing to measure.
inline std::optional<int> parse(int argc, char** argv, Command& command) {
  constexpr std::string_view time_flag = "--benchmark_min_time=";
  constexpr double seconds_max = 60;  // every sample is kept
  std::optional<double> seconds;
  command.google.emplace_back(argv[0]);
  for (int i = 1; i < argc; ++i) {
    if (std::string_view(argv[i]) == "--help") {
      print_help();
      return 0;
    }
    if (const auto size = value_of(argv[i], "--size=")) {
      const auto parsed = parse_size(*size);
      if (!parsed) {
        std::fprintf(stderr, "%s: the size is smoke, quick or full\n", argv[i]);
        return exit_code::usage;
      }
      command.settings.size = *parsed;
      continue;
    }
    if (const auto row = value_of(argv[i], "--after=")) {
      command.after = *row;
      continue;
    }
    if (const auto time = value_of(argv[i], time_flag)) {
      seconds = std::strtod(std::string(*time).c_str(), nullptr);
      if (!(*seconds > 0 && *seconds <= seconds_max)) {
        std::fprintf(stderr, "%s: the time is a number of seconds above 0, and %g at most\n",
                     argv[i], seconds_max);
        return exit_code::usage;
      }
    }
    const auto out = value_of(argv[i], "--benchmark_out=");
    if (out && !std::ofstream(std::string(*out), std::ios::app)) {
      std::fprintf(stderr, "%s: the file cannot be written\n", argv[i]);
      return exit_code::no_output;
    }
    command.google.emplace_back(argv[i]);
  }
  Settings& settings = command.settings;
  settings.seconds_per_row = seconds.value_or(default_seconds_per_row(settings.size));
  if (!seconds) {
    command.google.push_back(std::string(time_flag) + std::to_string(settings.seconds_per_row));
  }
  return std::nullopt;
}

// Registers what `add_rows` adds, measures it as the command says, and returns the exit code.
inline int measure_rows(Command& command, const std::function<void(Suite&)>& add_rows) {
  std::vector<char*> pointers;
  for (std::string& argument : command.google) pointers.push_back(argument.data());
  int count = static_cast<int>(pointers.size());
  pointers.push_back(nullptr);
  benchmark::Initialize(&count, pointers.data(), refuse_flags);
  if (benchmark::ReportUnrecognizedArguments(count, pointers.data())) return exit_code::usage;

  Progress progress;
  const Settings& settings = command.settings;
  Suite suite(settings, progress, command.after);
  add_rows(suite);
  if (suite.skips()) {
    std::fprintf(stderr, "--after=%s: there is no such row\n", command.after.c_str());
    return exit_code::usage;
  }
  benchmark::AddCustomContext("size", std::string(to_text(settings.size)));
  benchmark::AddCustomContext("placement", suite.placement().text());
#ifdef NDEBUG
  benchmark::AddCustomContext("optimised", "yes");
#else
  benchmark::AddCustomContext("optimised", "no");
  std::fprintf(stderr, "this is a build without optimisation: its figures say nothing\n");
#endif
  if (!suite.placement().two_cpus()) {
    std::fprintf(stderr, "this process may use one CPU only: rows with cpus:cross are absent\n");
  }

  // One row takes its time and what goes around it; a minute without any is a hang.
  const auto patience =
      std::chrono::seconds(60 + static_cast<std::int64_t>(4 * settings.seconds_per_row));
  return watch(progress, patience, [&] {
    if (benchmark::RunSpecifiedBenchmarks() == 0) return exit_code::usage;  // and has said so
    if (progress.failures() == 0) return 0;
    std::fprintf(stderr, "%llu rows failed\n",
                 static_cast<unsigned long long>(progress.failures()));
    return exit_code::failed;
  });
}

// Runs the rows that `add_rows` registers, as the command line says, and returns the exit code:
// 0, 2 usage or nothing matched, 4 a row failed, crashed or hung, or nothing could be measured,
// 5 no output, 130 interrupted.
inline int run(int argc, char** argv, const std::function<void(Suite&)>& add_rows) {
  try {
    Command command;
    if (const auto code = parse(argc, argv, command)) return *code;
    return measure_rows(command, add_rows);
  } catch (const std::exception& error) {
    std::fprintf(stderr, "nothing could be measured: %s\n", error.what());
    return exit_code::failed;
  }
}

}  // namespace bench
