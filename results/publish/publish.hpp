// `ipc-compare publish` and `ipc-compare summary`: tables from run files.
#pragma once

#include <filesystem>
#include <vector>

#include "results/failure.hpp"

namespace results {

struct PublishOptions {
  std::vector<std::filesystem::path> files;         // run files of one machine, build and size
  std::filesystem::path out = "results/published";  // a folder
  bool markdown = true;
  bool csv = true;
};

// Writes README.md, and one CSV file per table. The same input gives the same bytes.
// Throws Failure for input that cannot be used and for output that cannot be written.
Exit publish(const PublishOptions& options);

// Prints the findings and one table, at most 100 columns wide, to standard output.
Exit summary(const PublishOptions& options);

}  // namespace results
