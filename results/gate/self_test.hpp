// Proves on this machine that the gate can fail and that it does not fail without a reason.
#pragma once

#include <cstdint>
#include <filesystem>
#include <string>
#include <vector>

#include "results/failure.hpp"
#include "results/gate/policy.hpp"

namespace results {

struct SelfTestOptions {
  std::filesystem::path subject;  // the binary self-test-subject
  Policy policy;
  double slower = 0.10;  // the share by which every row of head is slowed
  std::uint64_t seed = 0;
};

// What a pair of builds was made to be, and how the gate took it.
struct Trial {
  std::string what;  // "head is 10 % slower"
  Exit wanted = Exit::ok;
  Exit got = Exit::ok;
  std::string found;  // in words

  [[nodiscard]] bool passed() const { return wanted == got; }
};

// Five gates: head slower, both the same, a row gone, a row that crashes, floors of another
// machine. Throws Failure(benchmark) without the subject, Failure(output) without a temporary
// folder, Failure(interrupted).
std::vector<Trial> self_test(const SelfTestOptions& options);

}  // namespace results
