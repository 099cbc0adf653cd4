// Runs programs on a command line, and makes stand-ins for benchmark binaries.
#pragma once

#include <sys/wait.h>

#include <array>
#include <cerrno>
#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <string>
#include <system_error>

#include <fmt/format.h>

#include "tests/scratch.hpp"

namespace command_line {

struct Outcome {
  int code;  // -1: killed
  std::string output;
  std::string errors;
};

// Runs a line of sh here, with the test's own standard error.
inline Outcome sh(const std::string& line) {
  std::FILE* pipe = ::popen(line.c_str(), "r");
  if (pipe == nullptr) throw std::system_error(errno, std::generic_category(), "popen");
  Outcome outcome{};
  std::array<char, 4096> part{};
  while (const auto size = std::fread(part.data(), 1, part.size(), pipe)) {
    outcome.output.append(part.data(), size);
  }
  const int status = ::pclose(pipe);
  outcome.code = WIFEXITED(status) ? WEXITSTATUS(status) : -1;
  return outcome;
}

// Runs a line of sh in a folder.
inline Outcome sh(const Scratch& scratch, const std::filesystem::path& folder,
                  const std::string& line) {
  const auto out = scratch.path() / "stdout", err = scratch.path() / "stderr";
  const int status = std::system(fmt::format("cd '{}'; {{ {}; }} >'{}' 2>'{}' </dev/null",
                                             folder.string(), line, out.string(), err.string())
                                     .c_str());
  return {.code = WIFEXITED(status) ? WEXITSTATUS(status) : -1,
          .output = read(out),
          .errors = read(err)};
}

// Writes a file that can be executed, and the folder for it.
inline void add_program(const std::filesystem::path& file, const std::string& text) {
  std::filesystem::create_directories(file.parent_path());
  std::ofstream(file) << text;
  std::filesystem::permissions(file, std::filesystem::perms::owner_all);
}

}  // namespace command_line
