// ipc-compare publish, ipc-compare summary.
#include "results/command.hpp"

#include <algorithm>
#include <memory>
#include <string>
#include <vector>

#include "results/publish/publish.hpp"

namespace results {

void add_publish_commands(CLI::App& program, Exit& exit) {
  const auto options = std::make_shared<PublishOptions>();
  CLI::App* publish = program.add_subcommand("publish", "Write tables from run files");
  publish->add_option("files", options->files, "Run files of one machine")->required();
  publish->add_option("--out", options->out, "Folder for README.md and the CSV files")
      ->capture_default_str();
  const auto formats = std::make_shared<std::vector<std::string>>();
  publish->add_option("--format", *formats, "md, csv or both")
      ->delimiter(',')
      ->check(CLI::IsMember({"md", "csv"}));
  publish->callback([options, formats, &exit] {
    if (!formats->empty()) {
      options->markdown = std::ranges::find(*formats, "md") != formats->end();
      options->csv = std::ranges::find(*formats, "csv") != formats->end();
    }
    exit = results::publish(*options);
  });

  CLI::App* summary = program.add_subcommand("summary", "Print the findings and a short table");
  summary->add_option("files", options->files, "Run files of one machine")->required();
  summary->callback([options, &exit] { exit = results::summary(*options); });
}

}  // namespace results
