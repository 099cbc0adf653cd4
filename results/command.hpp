// How a room adds its commands to the program: one function each, listed in main.cpp.
#pragma once

#include <CLI/CLI.hpp>

#include "results/failure.hpp"

namespace results {

// Each adds subcommands to `program`. The one that the user chose is run by CLI::App::parse, which
// passes on the Failure of the command; how it ended is stored in `exit`, which must outlive the
// parse.
void add_measure_commands(CLI::App& program, Exit& exit);
void add_compare_commands(CLI::App& program, Exit& exit);
void add_publish_commands(CLI::App& program, Exit& exit);
void add_history_commands(CLI::App& program, Exit& exit);
void add_gate_commands(CLI::App& program, Exit& exit);

}  // namespace results
