#include "results/gate/self_test.hpp"

#include <unistd.h>

#include <algorithm>
#include <cstdlib>
#include <fstream>

#include <fmt/format.h>

#include "results/gate/gate.hpp"

namespace results {
namespace fs = std::filesystem;
namespace {

// A temporary folder with two builds of one program each.
class Builds {
 public:
  explicit Builds(fs::path subject) : subject_(std::move(subject)) {
    std::string name = (fs::temp_directory_path() / "ipc-compare-self-test-XXXXXX").string();
    if (::mkdtemp(name.data()) == nullptr) {
      throw Failure(Exit::output,
                    fmt::format("cannot create {}; set TMPDIR to a folder that can be "
                                "written",
                                name));
    }
    folder_ = name;
    for (const char* side : {"base", "head"}) {
      fs::create_directory(folder_ / side);
      make(side, "");
    }
  }
  Builds(const Builds&) = delete;
  Builds& operator=(const Builds&) = delete;
  ~Builds() {
    std::error_code ignored;
    fs::remove_all(folder_, ignored);
  }

  // The subject with these arguments, as a program: a script is never taken for an identical
  // binary.
  void make(const char* side, const std::string& arguments) {
    const fs::path script = folder_ / side / "self_test";
    std::ofstream(script) << "#!/bin/sh\nexec '" << subject_.string() << "' " << arguments
                          << " \"$@\"\n";
    fs::permissions(script, fs::perms::owner_all);
  }

  [[nodiscard]] fs::path path(const char* name) const { return folder_ / name; }

 private:
  fs::path subject_;
  fs::path folder_;
};

class SelfTest {
 public:
  explicit SelfTest(const SelfTestOptions& options) : options_(options), builds_(options.subject) {
    if (::access(options.subject.c_str(), X_OK) != 0) {
      throw Failure(Exit::benchmark,
                    fmt::format("there is no {}; build it", options.subject.string()));
    }
  }

  std::vector<Trial> run() {
    gate_head(fmt::format("--slower={}", options_.slower),
              fmt::format("head is {:.0f} % slower", 100 * options_.slower), Exit::regression);
    gate_head("", "base and head are the same", Exit::ok);
    gate_head("--without=self_test/work:sort", "head lacks a row", Exit::benchmark);
    gate_head("--crash=self_test/work:sort", "a row of head crashes", Exit::benchmark);
    gate_with_floors_of_another_machine();
    return std::move(trials_);
  }

 private:
  void gate_head(const std::string& arguments, const std::string& what, Exit wanted) {
    builds_.make("head", arguments);
    take(what, wanted, {});
  }

  void gate_with_floors_of_another_machine() {
    Calibration elsewhere;
    elsewhere.environment = this_machine();
    elsewhere.environment.fields["cpu"] = "another one";
    write_calibration(builds_.path("calibration.json"), elsewhere);
    builds_.make("head", "");
    take("the floors are another machine's", Exit::inconclusive, builds_.path("calibration.json"));
  }

  void take(const std::string& what, Exit wanted, const fs::path& calibration) {
    Trial trial{.what = what, .wanted = wanted, .got = Exit::ok, .found = {}};
    try {
      const GateReport report =
          gate({.builds = {.base = builds_.path("base"), .head = builds_.path("head")},
                .policy = options_.policy,
                .calibration = calibration,
                .seed = options_.seed + trials_.size()});
      trial.got = report.exit;
      trial.found = report.counts();
      if (report.exit == Exit::inconclusive) trial.found += "; " + report.notes.back();
      // Then the machine is too noisy for a slowdown of this size, which is not the gate's fault.
      const bool blind = std::ranges::all_of(
          report.rows, [](const Comparison& row) { return row.verdict == Verdict::inconclusive; });
      if (wanted == Exit::regression && blind) trial.got = Exit::inconclusive;
    } catch (const Failure& failure) {
      if (failure.exit() == Exit::interrupted) throw;
      trial.got = failure.exit();
      trial.found = failure.what();
    }
    trials_.push_back(std::move(trial));
  }

  const SelfTestOptions& options_;
  Builds builds_;
  std::vector<Trial> trials_;
};

}  // namespace

std::vector<Trial> self_test(const SelfTestOptions& options) {
  return SelfTest(options).run();
}

}  // namespace results
