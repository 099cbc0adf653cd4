// A name that nobody else has, for mechanisms that cannot do without: it tells who made it.
#pragma once

#include <sys/random.h>
#include <unistd.h>

#include <cstdint>
#include <cstdio>
#include <string>

#include "ipc/syscall.hpp"

namespace ipc {

// "ipc-compare.<pid>.<16 random hex digits>". Still to be created with O_EXCL: the random part only
// makes it pointless for another user to take the name first.
inline std::string unique_name() {
  std::uint64_t random = 0;
  check("getrandom", [&] { return ::getrandom(&random, sizeof random, 0); });
  char text[64];
  std::snprintf(text, sizeof text, "ipc-compare.%d.%016llx", ::getpid(),
                static_cast<unsigned long long>(random));
  return text;
}

}  // namespace ipc
