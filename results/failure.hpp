// How a command of ipc-compare ends.
#pragma once

#include <stdexcept>
#include <string>

namespace results {

enum class Exit : int {
  ok = 0,
  regression = 1,    // confirmed by `gate`
  usage = 2,         // of the command line or of an input file
  inconclusive = 3,  // nothing could be concluded, or the environment is unfit
  benchmark = 4,     // a benchmark is missing or failed; the others were measured
  output = 5,        // what was to be written cannot be written, or a store fails
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
