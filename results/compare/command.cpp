// ipc-compare compare.
#include "results/command.hpp"

#include <cmath>
#include <filesystem>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include <fmt/format.h>

#include "results/compare/comparison_table.hpp"
#include "results/compare/files.hpp"
#include "results/publish/render.hpp"

namespace results {
namespace {

struct CompareOptions {
  std::vector<std::filesystem::path> files;  // base and head
  FilesOptions statistics;
  double floor_percent = 2;
  std::string format = "text";
};

std::string rendered(const FilesComparison& comparison, const CompareOptions& options) {
  if (options.format == "csv") return comparisons_csv(comparison.rows);
  if (options.format == "json") {
    Json rows = Json::array();
    for (const Comparison& row : comparison.rows) rows.push_back(comparison_json(row));
    const Json document = {{"base", options.files[0].string()},
                           {"head", options.files[1].string()},
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

Exit compare(CompareOptions& options) {
  options.statistics.floor = std::log1p(options.floor_percent / 100);
  const FilesComparison comparison = compare_files(
      read_measurements(options.files[0]), read_measurements(options.files[1]), options.statistics);
  fmt::print("{}", rendered(comparison, options));
  return Exit::ok;
}

}  // namespace

void add_compare_commands(CLI::App& program, Exit& exit) {
  CLI::App* command =
      program.add_subcommand("compare", "Tell what differs between two files of measurements");
  const auto options = std::make_shared<CompareOptions>();
  FilesOptions& statistics = options->statistics;
  command
      ->add_option("files", options->files, "Base and head: run files, or JSON of Google Benchmark")
      ->expected(2)
      ->required();
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
