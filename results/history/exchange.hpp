// A store as a text that outlives it: JSON lines (https://jsonlines.org), one for each run, alias
// and alert, which go into another store of either kind, or into version control.
#pragma once

#include <filesystem>

#include "results/history/store.hpp"

namespace results {

struct Exchanged {
  int runs = 0;
  int aliases = 0;
  int alerts = 0;
  int known = 0;  // runs that the store had already
};

// Writes everything that the store holds; the file appears when it is whole.
// Throws Failure(output) when it cannot be written.
Exchanged export_history(Store& store, const std::filesystem::path& file);

// Adds what the store does not have yet, one transaction for each line, so that a second import
// adds nothing. Throws Failure(usage) that names the line which is not one of an export; the lines
// before it are stored.
Exchanged import_history(Store& store, const std::filesystem::path& file);

}  // namespace results
