// The program ipc-compare: its commands, and how it ends.
#include <cstdio>
#include <exception>

#include <fmt/format.h>

#include "results/command.hpp"

int main(int argc, char** argv) {
  using results::Exit;
  CLI::App program{
      "Measures what it costs to move messages and to share data, and publishes tables."};
  program.require_subcommand(1);
  Exit exit = Exit::ok;
  try {
    results::add_measure_commands(program, exit);
    results::add_publish_commands(program, exit);
    results::add_compare_commands(program, exit);
    results::add_history_commands(program, exit);
    results::add_gate_commands(program, exit);
    program.parse(argc, argv);
  } catch (const CLI::ParseError& error) {
    const bool asked_for_help = program.exit(error) == 0;
    exit = asked_for_help ? Exit::ok : Exit::usage;
  } catch (const results::Failure& failure) {
    fmt::print(stderr, "ipc-compare: {}\n", failure.what());
    exit = failure.exit();
  } catch (const std::exception& error) {
    fmt::print(stderr, "ipc-compare: {}\n", error.what());
    exit = Exit::benchmark;
  }
  return static_cast<int>(exit);
}
