#include "results/compare/builds.hpp"

#include <unistd.h>

#include <algorithm>
#include <array>
#include <fstream>
#include <iterator>
#include <map>
#include <optional>
#include <regex>
#include <set>
#include <sstream>

#include <fmt/format.h>

#include "results/failure.hpp"

namespace results {
namespace fs = std::filesystem;
namespace {

bool is_program(const fs::path& path) {
  return fs::is_regular_file(path) && ::access(path.c_str(), X_OK) == 0;
}

// The names of what may be a benchmark of a build.
std::set<std::string> programs(const fs::path& build) {
  std::set<std::string> names;
  for (const auto& entry : fs::directory_iterator(build)) {
    if (is_program(entry.path())) names.insert(entry.path().filename().string());
  }
  return names;
}

void check_build(const char* side, const fs::path& path) {
  if (fs::is_directory(path) || is_program(path)) return;
  throw Failure(Exit::usage,
                fmt::format("--{} {}: {}; name a folder of benchmark binaries, or one binary", side,
                            path.string(), fs::exists(path) ? "is no program" : "is not there"));
}

std::vector<std::regex> expressions(const std::vector<std::string>& rows) {
  std::vector<std::regex> compiled;
  for (const std::string& row : rows) {
    try {
      compiled.emplace_back(row);
    } catch (const std::regex_error& error) {
      throw Failure(Exit::usage,
                    fmt::format("rows '{}': is no regular expression: {}", row, error.what()));
    }
  }
  return compiled;
}

// The rows of one binary of one build by their names; nothing when it cannot be asked.
using Rows = std::map<std::string, Benchmark>;
struct Answer {
  std::vector<std::string> order;
  Rows rows;
  std::string problem;
};

Answer ask(const fs::path& program, const BuildsOptions& options, StopSignals& stop,
           std::chrono::milliseconds silence) {
  Answer answer;
  if (!is_program(program)) {
    answer.problem = fmt::format("there is no program {}", program.string());
    return answer;
  }
  Benchmark binary{.program = program, .arguments = options.arguments};
  answer.problem = list_rows(binary, stop, silence);
  if (stop.requested()) throw Failure(Exit::interrupted, "interrupted; nothing was measured");
  if (!answer.problem.empty()) return answer;
  if (binary.rows.empty()) answer.problem = binary.name() + " lists no benchmark";
  for (const std::string& row : binary.rows) {
    const std::string name = parse_name(row).text();
    const Benchmark alone{
        .program = program, .arguments = options.arguments, .rows = {row}, .every_row = false};
    if (answer.rows.emplace(name, alone).second) answer.order.push_back(name);
  }
  return answer;
}

// What of the loaded libraries could differ: the files that the dynamic linker finds (ld.so(8)).
// Nothing when it does not say.
std::optional<std::set<std::string>> libraries(const fs::path& program, StopSignals& stop,
                                               std::chrono::milliseconds silence) {
  // A program without a dynamic linker runs instead, and lists its benchmarks.
  const Ended ended = execute({"/usr/bin/env", "LD_TRACE_LOADED_OBJECTS=1", program.string(),
                               "--benchmark_list_tests=true"},
                              stop, silence);
  if (ended.hung) return std::nullopt;
  std::set<std::string> files;
  std::istringstream lines(ended.output);
  for (std::string line; std::getline(lines, line);) {
    const std::size_t arrow = line.find(" => /");
    if (arrow == std::string::npos) continue;
    const std::size_t end = line.find(" (", arrow);
    files.insert(line.substr(arrow + 4, end == std::string::npos ? end : end - arrow - 4));
  }
  return files;
}

bool same_bytes(const fs::path& one, const fs::path& other) {
  std::error_code error;
  if (fs::equivalent(one, other, error)) return true;
  if (fs::file_size(one, error) != fs::file_size(other, error) || error) return false;
  std::ifstream a(one, std::ios::binary);
  std::ifstream b(other, std::ios::binary);
  return std::equal(std::istreambuf_iterator<char>(a), {}, std::istreambuf_iterator<char>(b), {});
}

bool is_elf(const fs::path& file) {
  std::array<char, 4> magic{};
  std::ifstream(file, std::ios::binary).read(magic.data(), magic.size());
  return magic == std::array<char, 4>{'\x7f', 'E', 'L', 'F'};
}

// One binary after the other is asked on both sides, and its rows are matched.
class Finder {
 public:
  Finder(const BuildsOptions& options, StopSignals& stop, std::chrono::milliseconds silence)
      : options_(options), stop_(stop), silence_(silence), wanted_(expressions(options.rows)) {}

  Subjects find() {
    for (const auto& [base, head] : binaries()) match(base, head);
    if (found_.rows.empty() && found_.missing.empty()) {
      throw Failure(options_.rows.empty() ? Exit::benchmark : Exit::usage,
                    fmt::format("{} and {} have no benchmark in common{}", options_.base.string(),
                                options_.head.string(),
                                options_.rows.empty() ? "" : " that the rows asked for match"));
    }
    return std::move(found_);
  }

 private:
  using Pair = std::pair<fs::path, fs::path>;

  std::vector<Pair> binaries() {
    const bool folders = fs::is_directory(options_.base);
    if (folders != fs::is_directory(options_.head)) {
      throw Failure(Exit::usage, "--base and --head: name two folders, or two binaries");
    }
    if (!folders) return {{options_.base, options_.head}};
    std::set<std::string> names(options_.binaries.begin(), options_.binaries.end());
    if (names.empty()) {
      names = programs(options_.base);
      names.merge(programs(options_.head));
    }
    std::vector<Pair> pairs;
    for (const std::string& name : names)
      pairs.emplace_back(options_.base / name, options_.head / name);
    return pairs;
  }

  void match(const fs::path& base_program, const fs::path& head_program) {
    const Answer base = ask(base_program, options_, stop_, silence_);
    const Answer head = ask(head_program, options_, stop_, silence_);
    const std::string binary = head_program.filename().string();
    const bool asked_for = !options_.binaries.empty() || !fs::is_directory(options_.base);
    if (!base.problem.empty() && !head.problem.empty() && !asked_for) {
      found_.notes.push_back(fmt::format("{} is no benchmark of either build", binary));
      return;
    }
    if (!head.problem.empty() || (!base.problem.empty() && asked_for)) {
      found_.missing.push_back(without_values(binary, {}, Verdict::failed,
                                              head.problem.empty() ? base.problem : head.problem));
      return;
    }
    const bool identical =
        base.problem.empty() && same_program(base_program, head_program, stop_, silence_);
    for (const std::string& name : base.order) {
      if (!wanted(name)) continue;
      const auto there = head.rows.find(name);
      if (there == head.rows.end()) {
        found_.missing.push_back(
            without_values(name, {}, Verdict::missing, binary + " of head does not have this row"));
      } else {
        found_.rows.push_back({.name = unique(name, binary),
                               .base = base.rows.at(name),
                               .head = there->second,
                               .identical = identical});
      }
    }
    for (const std::string& name : head.order) {
      if (wanted(name) && !base.rows.contains(name)) found_.added.push_back(name);
    }
  }

  [[nodiscard]] bool wanted(const std::string& name) const {
    return wanted_.empty() || std::ranges::any_of(wanted_, [&](const std::regex& expression) {
             return std::regex_search(name, expression);
           });
  }

  // Two binaries may call a row the same.
  std::string unique(const std::string& name, const std::string& binary) {
    return names_.insert(name).second ? name : binary + "/" + name;
  }

  const BuildsOptions& options_;
  StopSignals& stop_;
  std::chrono::milliseconds silence_;
  std::vector<std::regex> wanted_;
  std::set<std::string> names_;
  Subjects found_;
};

}  // namespace

bool same_program(const fs::path& one, const fs::path& other, StopSignals& stop,
                  std::chrono::milliseconds silence) {
  if (!is_elf(one) || !is_elf(other) || !same_bytes(one, other)) return false;
  const auto of_one = libraries(one, stop, silence);
  const auto of_other = libraries(other, stop, silence);
  return of_one && of_other && std::ranges::equal(*of_one, *of_other, same_bytes);
}

Subjects find_subjects(const BuildsOptions& options, StopSignals& stop,
                       std::chrono::milliseconds silence) {
  check_build("base", options.base);
  check_build("head", options.head);
  return Finder(options, stop, silence).find();
}

}  // namespace results
