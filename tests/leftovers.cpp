// leftovers record FILE BUILD: notes what exists before the suite.
// leftovers compare FILE BUILD [SECONDS]: fails with the names of what exists since then and does
// not go within these seconds, of which there are 60.
// ctest runs the two before and after everything else.
#include "tests/leftovers.hpp"

#include <algorithm>
#include <chrono>
#include <cstdio>
#include <cstdlib>
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

int compare(const std::string& file, const std::string& build, std::chrono::seconds patience) {
  std::ifstream lines(file);
  if (!lines) {
    std::fprintf(stderr, "leftovers: cannot read %s\n", file.c_str());
    return 2;
  }
  leftovers::Names known;
  for (std::string line; std::getline(lines, line);) known.insert(line);

  // A guardian removes after its users are gone, so what it guards has a moment to go.
  using Clock = std::chrono::steady_clock;
  const auto give_up = Clock::now() + patience;
  std::vector<std::string> left;
  do {
    left.clear();
    std::ranges::set_difference(leftovers::all(build), known, std::back_inserter(left));
    if (left.empty()) break;
    std::this_thread::sleep_for(std::chrono::milliseconds(100));
  } while (Clock::now() < give_up);

  for (const auto& name : left) std::printf("left behind: %s\n", name.c_str());
  if (!leftovers::posix_queues_are_visible()) {
    std::puts("not looked at: POSIX queues (needs root or a mounted /dev/mqueue)");
  }
  return left.empty() ? 0 : 1;
}

}  // namespace

int main(int count, char** arguments) {
  const std::string_view verb = count >= 4 ? arguments[1] : "";
  if (verb == "record" && count == 4) return record(arguments[2], arguments[3]);
  if (verb == "compare" && count <= 5) {
    const int patience_s = count == 5 ? std::atoi(arguments[4]) : 60;
    return compare(arguments[2], arguments[3], std::chrono::seconds(patience_s));
  }
  std::fputs("usage: leftovers record FILE BUILD | compare FILE BUILD [SECONDS]\n", stderr);
  return 2;
}
