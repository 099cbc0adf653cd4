// The limits of the kernel, for errors that name them (sysctl(8)).
#pragma once

#include <algorithm>
#include <cstddef>
#include <fstream>
#include <string>

namespace ipc {

// The value of "kernel.shmmax", "kernel.sem", ...; "unknown" where this system does not tell.
inline std::string sysctl(std::string name) {
  std::replace(name.begin(), name.end(), '.', '/');
  std::string value = "unknown";
  std::getline(std::ifstream("/proc/sys/" + name), value);
  std::replace(value.begin(), value.end(), '\t', ' ');
  return value;
}

// The same as a number.
inline std::size_t sysctl(std::string name, std::size_t otherwise) {
  std::replace(name.begin(), name.end(), '.', '/');
  std::size_t value = otherwise;
  std::ifstream("/proc/sys/" + name) >> value;
  return value;
}

}  // namespace ipc
