// leftovers record FILE BUILD: notes what exists before the suite.
// leftovers compare FILE BUILD: fails with the names of what exists since then.
// ctest runs the two before and after everything else.
#include "tests/leftovers.hpp"

#include <algorithm>
#include <chrono>
#include <cstdio>
#include <iterator>
#include <string_view>
#include <thread>
#include <vector>

namespace {

int record(const std::string& file, const std::string& build) {
  std::ofstream known(file);
  for (const auto& name : leftovers::all(build)) known << name << '\n';
  if (!known.flush()) {
    std::fprintf(stderr, "leftovers: cannot write %s\n", file.c_str());
    return 2;
  }
  return 0;
}

int compare(const std::string& file, const std::string& build) {
  std::ifstream lines(file);
  if (!lines) {
    std::fprintf(stderr, "leftovers: cannot read %s\n", file.c_str());
    return 2;
  }
  leftovers::Names known;
  for (std::string line; std::getline(lines, line);) known.insert(line);

  // A guardian removes after its users are gone, so what it guards has a moment to go.
  using Clock = std::chrono::steady_clock;
  const auto patience = Clock::now() + std::chrono::seconds(5);
  std::vector<std::string> left;
  do {
    left.clear();
    std::ranges::set_difference(leftovers::all(build), known, std::back_inserter(left));
    if (left.empty()) break;
    std::this_thread::sleep_for(std::chrono::milliseconds(100));
  } while (Clock::now() < patience);

  for (const auto& name : left) std::printf("left behind: %s\n", name.c_str());
  if (!leftovers::posix_queues_are_visible()) {
    std::puts("not looked at: POSIX queues (needs root or a mounted /dev/mqueue)");
  }
  return left.empty() ? 0 : 1;
}

}  // namespace

int main(int count, char** arguments) {
  const std::string_view verb = count == 4 ? arguments[1] : "";
  if (verb == "record") return record(arguments[2], arguments[3]);
  if (verb == "compare") return compare(arguments[2], arguments[3]);
  std::fputs("usage: leftovers record|compare FILE BUILD\n", stderr);
  return 2;
}
