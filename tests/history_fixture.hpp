// What tests of the history share: made-up run files, and the program on a command line.
#pragma once

#include <sys/wait.h>

#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <string>
#include <utility>
#include <vector>

#include <fmt/format.h>

#include "results/history/run_record.hpp"
#include "results/history/runs.hpp"
#include "results/history/store.hpp"
#include "results/run_file.hpp"
#include "tests/scratch.hpp"

namespace history {

namespace fs = std::filesystem;
using results::Json;

inline const fs::path program = fs::path(PROJECT_BINARY_DIR) / "results/ipc-compare";

// "2026-01-01T00:00:00Z" is minute 0.
inline std::string minute(int number) {
  const int day = number / 1440;
  return fmt::format("2026-{:02}-{:02}T{:02}:{:02}:00Z", 1 + day / 28, 1 + day % 28,
                     number / 60 % 24, number % 60);
}

// A run file with the same times in each of `launches` launches.
inline Json run_file(const std::string& started,
                     const std::vector<std::pair<std::string, double>>& times_ns,
                     int launches = 1) {
  Json entries = Json::array();
  for (int launch = 0; launch < launches; ++launch) {
    for (const auto& [name, time] : times_ns) {
      entries.push_back({{"name", name},
                         {"run_type", "iteration"},
                         {"iterations", 1},
                         {"real_time", time + 0.1 * launch},
                         {"cpu_time", time},
                         {"time_unit", "ns"},
                         {"launch", launch}});
    }
  }
  return {{"context",
           {{"ipc_compare",
             {{"schema", results::schema},
              {"size", "quick"},
              {"started", started},
              {"machine", {{"id", "a-machine"}, {"cpu", "A Processor"}, {"cpus", 2}}},
              {"build", {{"compiler", "GNU 12.2.0"}, {"commit", "0123456789ab"}}}}}}},
          {"benchmarks", entries}};
}

inline fs::path write(const fs::path& file, const std::string& text) {
  std::ofstream(file) << text;
  return file;
}
inline fs::path write(const fs::path& file, const Json& json) {
  return write(file, json.dump(1));
}

// What would be stored of it.
inline results::RunRecord record(const Json& json) {
  const Scratch scratch;
  return results::record_of(results::read_run_file(write(scratch.path() / "run.json", json)));
}

inline results::Added add(results::Store& store, const results::RunRecord& record) {
  return store.write(
      [&](results::Transaction& transaction) { return results::add_run(transaction, record); });
}

struct Outcome {
  int code;
  std::string output;
  std::string errors;
};

// Runs a line of sh in a folder, in which $history stands for `ipc-compare history`.
inline Outcome sh(const fs::path& folder, const std::string& line) {
  const Scratch scratch;
  const fs::path out = scratch.path() / "stdout", err = scratch.path() / "stderr";
  const std::string command =
      fmt::format("cd '{}'; history='{} history'; {{ {}; }} >'{}' 2>'{}' </dev/null",
                  folder.string(), program.string(), line, out.string(), err.string());
  const int status = std::system(command.c_str());
  return {.code = WIFEXITED(status) ? WEXITSTATUS(status) : -1,
          .output = read(out),
          .errors = read(err)};
}

}  // namespace history
