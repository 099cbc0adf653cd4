#include "results/compare/build_options.hpp"

namespace results {

void add_binaries(CLI::App& command, BuildsOptions& builds) {
  command
      .add_option("--binary", builds.binaries,
                  "Name of a benchmark binary; may be given again (default: all that list "
                  "benchmarks)")
      ->allow_extra_args(false);
  command.add_option("--argument", builds.arguments, "Passed to each launch; may be given again")
      ->allow_extra_args(false);
}

void add_builds(CLI::App& command, BuildsOptions& builds) {
  command.add_option("--base", builds.base, "Folder of benchmark binaries, or one binary");
  command.add_option("--head", builds.head, "The same, of the change");
  add_binaries(command, builds);
}

}  // namespace results
