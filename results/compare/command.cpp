// ipc-compare compare: two files, or two builds.
#include "results/command.hpp"

#include <algorithm>
#include <cmath>
#include <filesystem>
#include <map>
#include <memory>
#include <random>
#include <string>
#include <vector>

#include <fmt/format.h>

#include "results/compare/build_options.hpp"
#include "results/compare/compare_builds.hpp"
#include "results/compare/comparison_table.hpp"
#include "results/compare/files.hpp"
#include "results/publish/render.hpp"

namespace results {
namespace {

struct CompareOptions {
  std::vector<std::filesystem::path> files;  // base and head; or none, and
  CompareBuildsOptions builds;
  FilesOptions statistics;
  double floor_percent = 2;
  std::string format = "text";
};

// What either way of comparing found.
struct Found {
  std::filesystem::path base;
  std::filesystem::path head;
  std::vector<Comparison> rows;
  std::vector<std::string> notes;
  Exit exit = Exit::ok;
};

std::string rendered(const Found& comparison, const CompareOptions& options) {
  if (options.format == "csv") return comparisons_csv(comparison.rows);
  if (options.format == "json") {
    Json rows = Json::array();
    for (const Comparison& row : comparison.rows) rows.push_back(comparison_json(row));
    const Json document = {{"base", comparison.base.string()},
                           {"head", comparison.head.string()},
                           {"alpha", options.statistics.alpha},
                           {"rows", rows},
                           {"notes", comparison.notes}};
    return document.dump(1, ' ', false, Json::error_handler_t::replace) + "\n";
  }
  const bool markdown = options.format == "md";
  std::string text = markdown ? comparisons_markdown(comparison.rows) + "\n" +
                                    markdown_text(comparisons_legend()) + "\n"
                              : comparisons_terminal(comparison.rows);
  for (const std::string& note : comparison.notes) {
    text += markdown ? fmt::format("\n{}\n", markdown_text(note)) : note + "\n";
  }
  return text;
}

Found compare_two_files(const CompareOptions& options) {
  FilesComparison comparison = compare_files(
      read_measurements(options.files[0]), read_measurements(options.files[1]), options.statistics);
  return {.base = options.files[0],
          .head = options.files[1],
          .rows = std::move(comparison.rows),
          .notes = std::move(comparison.notes)};
}

// Nothing is judged, so that a regression is no failure; what could not be measured is.
Found compare_two_builds(CompareOptions& options) {
  CompareBuildsOptions& builds = options.builds;
  if (!options.statistics.filter.empty()) builds.builds.rows = {options.statistics.filter};
  builds.pairs.metrics = options.statistics.metrics;
  builds.floor = options.statistics.floor;
  builds.alpha = options.statistics.alpha;
  BuildsComparison comparison = compare_builds(builds);
  Found found{.base = builds.builds.base,
              .head = builds.builds.head,
              .rows = std::move(comparison.rows),
              .notes = std::move(comparison.notes)};
  for (const std::string& reason : comparison.discarded) {
    found.notes.push_back("a block was thrown out: " + reason);
  }
  const auto broken = [](const Comparison& row) {
    return row.verdict == Verdict::missing || row.verdict == Verdict::failed;
  };
  if (std::ranges::any_of(found.rows, broken)) found.exit = Exit::benchmark;
  if (comparison.unfit) {
    found.notes.emplace_back("the machine is unfit to measure on: too many blocks were disturbed");
    found.exit = Exit::inconclusive;
  }
  return found;
}

Exit compare(CompareOptions& options) {
  const BuildsOptions& builds = options.builds.builds;
  const bool two_builds = !builds.base.empty() && !builds.head.empty();
  if (two_builds ? !options.files.empty() : options.files.size() != 2) {
    throw Failure(Exit::usage, "compare takes two files, or --base and --head; see compare --help");
  }
  options.statistics.floor = std::log1p(options.floor_percent / 100);
  const Found found = two_builds ? compare_two_builds(options) : compare_two_files(options);
  fmt::print("{}", rendered(found, options));
  return found.exit;
}

void add_pairs(CLI::App& command, CompareBuildsOptions& options) {
  options.pairs.seed = std::random_device()();
  add_builds(command, options.builds);
  command.add_option("--blocks", options.blocks, "Of four launches, of each row")
      ->check(CLI::Range(5, 1000))
      ->capture_default_str();
  command
      .add_option("--min-time", options.pairs.min_time_s,
                  "Seconds of a launch, as Google Benchmark takes it")
      ->check(CLI::Range(0.001, 3600.0))
      ->capture_default_str();
  command
      .add_option(
          "--discarded-share", options.pairs.discarded_share_max,
          "Of the blocks, that may be thrown out because the machine was disturbed; 1: none is")
      ->check(CLI::Range(0.0, 1.0))
      ->capture_default_str();
  command.add_option("--budget", options.budget_minutes, "Minutes of measuring")
      ->check(CLI::Range(0.01, 1440.0))
      ->capture_default_str();
  command.add_option("--seed", options.pairs.seed, "For the order of launches");
}

}  // namespace

void add_compare_commands(CLI::App& program, Exit& exit) {
  CLI::App* command = program.add_subcommand(
      "compare", "Tell what differs between two files of measurements, or between two builds");
  const auto options = std::make_shared<CompareOptions>();
  FilesOptions& statistics = options->statistics;
  command
      ->add_option("files", options->files, "Base and head: run files, or JSON of Google Benchmark")
      ->expected(2);
  add_pairs(*command, options->builds);
  command
      ->add_option("--metric", statistics.metrics,
                   "A figure of rows to compare; may be given again")
      ->allow_extra_args(false)
      ->capture_default_str();
  command->add_option("--filter", statistics.filter, "Only rows whose names match this expression");
  command
      ->add_option("--floor", options->floor_percent, "Percent up to which a change is no matter")
      ->check(CLI::Range(0.0, 1000.0))
      ->capture_default_str();
  command->add_option("--alpha", statistics.alpha, "The corrected p below which something is shown")
      ->check(CLI::Range(1e-6, 0.5))
      ->capture_default_str();
  const std::map<std::string, Correction> corrections = {
      {"holm", Correction::holm}, {"bh", Correction::bh}, {"none", Correction::none}};
  command->add_option("--correct", statistics.correction, "For how many rows are looked at")
      ->transform(CLI::CheckedTransformer(corrections));
  command->add_option("--format", options->format, "text, md, csv or json")
      ->check(CLI::IsMember({"text", "md", "csv", "json"}))
      ->capture_default_str();
  command->add_flag("--allow-other-machine", statistics.allow_other_machine,
                    "Compare figures of different machines or toolchains too");
  command->callback([options, &exit] { exit = compare(*options); });
}

}  // namespace results
