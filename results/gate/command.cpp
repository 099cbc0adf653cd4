// ipc-compare gate, ipc-compare calibrate.
#include "results/command.hpp"

#include <algorithm>
#include <memory>
#include <random>

#include <fmt/format.h>

#include "results/compare/build_options.hpp"
#include "results/gate/gate.hpp"
#include "results/gate/report.hpp"
#include "results/gate/self_test.hpp"
#include "results/run_file.hpp"

namespace results {
namespace fs = std::filesystem;
namespace {

// Where the outputs of a gate go; a path that is empty is not written.
struct Outputs {
  std::string format = "text";  // on standard output
  fs::path markdown;
  fs::path junit;
  fs::path json;
  bool github = false;  // annotations, and the summary of the step
};

struct GateCommand {
  GateOptions gate;
  Outputs outputs;
  fs::path policy;
  fs::path waivers;
  double budget_minutes = 0;
  bool self_test = false;
  bool inconclusive_fails = false;
};

void add_filter(CLI::App& command, BuildsOptions& builds) {
  command
      .add_option("--filter", builds.rows,
                  "Only rows that match this expression; may be given again")
      ->allow_extra_args(false);
}

void write_outputs(const GateReport& report, const Outputs& outputs) {
  if (outputs.format == "text") fmt::print("{}", gate_text(report));
  if (outputs.format == "md") fmt::print("{}", gate_markdown(report));
  if (outputs.format == "json") fmt::print("{}", gate_json(report));
  if (!outputs.markdown.empty()) write_atomically(outputs.markdown, gate_markdown(report));
  if (!outputs.junit.empty()) write_atomically(outputs.junit, gate_junit(report));
  if (!outputs.json.empty()) write_atomically(outputs.json, gate_json(report));
  if (!outputs.github) return;
  fmt::print("{}", gate_annotations(report));
  write_step_summary(report);
}

// Plants what a gate must find, and what it must not.
Exit run_self_test(const GateOptions& gate) {
  const fs::path program = fs::read_symlink("/proc/self/exe");
  const auto trials = self_test({.subject = program.parent_path() / "self-test-subject",
                                 .policy = gate.policy,
                                 .seed = gate.seed});
  for (const Trial& trial : trials) {
    fmt::print("{}  {}: exit {}, wanted {} ({})\n", trial.passed() ? "ok    " : "FAILED",
               trial.what, static_cast<int>(trial.got), static_cast<int>(trial.wanted),
               trial.found);
  }
  if (std::ranges::all_of(trials, &Trial::passed)) return Exit::ok;
  const bool unfit = std::ranges::any_of(trials, [](const Trial& trial) {
    return !trial.passed() && trial.got == Exit::inconclusive;
  });
  return unfit ? Exit::inconclusive : Exit::regression;
}

Exit run_gate(GateCommand& command) {
  GateOptions& options = command.gate;
  if (!command.policy.empty()) options.policy = read_policy(command.policy);
  if (!command.waivers.empty()) options.waivers = read_waivers(command.waivers);
  if (command.budget_minutes > 0) options.policy.budget_minutes = command.budget_minutes;
  if (command.inconclusive_fails) options.policy.inconclusive_fails = true;
  if (command.self_test) return run_self_test(options);
  if (options.builds.base.empty() || options.builds.head.empty()) {
    throw Failure(Exit::usage, "--base and --head are needed, or --self-test; see gate --help");
  }
  const Outputs& outputs = command.outputs;
  for (const fs::path& file : {outputs.markdown, outputs.junit, outputs.json}) {
    if (!file.empty()) require_writable(file);  // before minutes of measuring
  }
  const GateReport report = gate(options);
  write_outputs(report, outputs);
  return report.exit;
}

void add_gate(CLI::App& program, Exit& exit) {
  CLI::App* gate = program.add_subcommand(
      "gate", "Base build against head build: exit 1 when a regression is confirmed");
  const auto command = std::make_shared<GateCommand>();
  command->gate.seed = std::random_device()();
  add_builds(*gate, command->gate.builds);
  add_filter(*gate, command->gate.builds);
  gate->add_option("--policy", command->policy, "TOML: rows, metrics, floors, stages, budget");
  gate->add_option("--waivers", command->waivers,
                   "TOML: regressions that are tolerated for a time");
  gate->add_option("--calibration", command->gate.calibration,
                   "Noise floors, from `ipc-compare calibrate` on this machine");
  gate->add_flag("--allow-other-machine", command->gate.allow_other_machine,
                 "Take floors that were calibrated elsewhere");
  gate->add_flag("--measure-identical", command->gate.measure_identical,
                 "Measure rows of which both sides run the same bytes");
  gate->add_option("--budget", command->budget_minutes, "Minutes of measuring")
      ->check(CLI::Range(0.1, 1440.0));
  gate->add_flag("--fail-inconclusive", command->inconclusive_fails,
                 "Exit 3 when a row is neither unchanged nor slower nor faster");
  gate->add_option("--seed", command->gate.seed, "For the order of launches");
  gate->add_option("--format", command->outputs.format, "On standard output: text, md or json")
      ->check(CLI::IsMember({"text", "md", "json"}))
      ->capture_default_str();
  gate->add_option("--markdown", command->outputs.markdown, "Also write this file");
  gate->add_option("--junit", command->outputs.junit, "Also write this file");
  gate->add_option("--json", command->outputs.json, "Also write this file");
  gate->add_flag("--github", command->outputs.github,
                 "Annotations on standard output, and the summary of the step");
  gate->add_flag("--self-test", command->self_test,
                 "Plant a slowdown, nothing, a missing row, a crash and another machine's floors");
  gate->callback([command, &exit] { exit = run_gate(*command); });
}

void add_calibrate(CLI::App& program, Exit& exit) {
  CLI::App* calibrate = program.add_subcommand(
      "calibrate", "A build against itself: the noise floor of each row on this machine");
  struct Command {
    CalibrateOptions calibrate;
    fs::path policy;
    fs::path out = "calibration.json";
  };
  const auto command = std::make_shared<Command>();
  command->calibrate.seed = std::random_device()();
  calibrate
      ->add_option("--bin", command->calibrate.builds.base, "Folder of benchmark binaries, or one")
      ->required();
  add_binaries(*calibrate, command->calibrate.builds);
  add_filter(*calibrate, command->calibrate.builds);
  calibrate->add_option("--policy", command->policy, "TOML: rows, metrics, budget");
  calibrate->add_option("--pairs", command->calibrate.pairs, "Blocks of each row")
      ->check(CLI::Range(8, 1000))
      ->capture_default_str();
  calibrate->add_option("--seed", command->calibrate.seed, "For the order of launches");
  calibrate->add_option("--out", command->out, "Where the floors go")->capture_default_str();
  calibrate->callback([command, &exit] {
    CalibrateOptions& options = command->calibrate;
    if (!command->policy.empty()) options.policy = read_policy(command->policy);
    require_writable(command->out);
    options.builds.head = options.builds.base;
    const Calibration calibration = results::calibrate(options);
    for (const auto& [row, metrics] : calibration.rows) {
      for (const auto& [metric, noise] : metrics) {
        fmt::print("{}  {}  floor {:.1f} %, sigma of a pair {:.1f} %, {} pairs\n", row, metric,
                   100 * noise.floor, 100 * noise.pair_sigma, noise.pairs);
      }
    }
    write_calibration(command->out, calibration);
    fmt::print("calibrated: {}\n", command->out.string());
    exit = Exit::ok;
  });
}

}  // namespace

void add_gate_commands(CLI::App& program, Exit& exit) {
  add_gate(program, exit);
  add_calibrate(program, exit);
}

}  // namespace results
