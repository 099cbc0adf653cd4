// How a command of ipc-compare ends.
#pragma once

#include <stdexcept>
#include <string>

namespace results {

// 1 (a regression was confirmed) and 3 (the environment is unfit, or nothing could be concluded)
// are left free for the commands that compare.
enum class Exit : int {
  ok = 0,
  usage = 2,      // of the command line or of an input file
  benchmark = 4,  // a benchmark is missing or failed; the others were measured
  output = 5,     // what was to be written cannot be written
  interrupted = 130,
};

// What stops a command: one line for the user, and the code to leave with.
class Failure : public std::runtime_error {
 public:
  Failure(Exit exit, const std::string& line) : std::runtime_error(line), exit_(exit) {}
  [[nodiscard]] Exit exit() const { return exit_; }

 private:
  Exit exit_;
};

}  // namespace results
