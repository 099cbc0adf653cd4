// The options of every command that launches the benchmarks of builds.
#pragma once

#include <CLI/CLI.hpp>

#include "results/compare/builds.hpp"

namespace results {

// --binary and --argument. `builds` must outlive the parse.
void add_binaries(CLI::App& command, BuildsOptions& builds);

// --base and --head, and those.
void add_builds(CLI::App& command, BuildsOptions& builds);

}  // namespace results
