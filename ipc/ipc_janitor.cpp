// ipc-janitor: removes what killed owners of named channels have left (ipc/janitor.hpp).
#include <cstdio>
#include <exception>
#include <filesystem>
#include <string_view>

#include "ipc/janitor.hpp"

namespace {

constexpr const char* usage =
    "usage: ipc-janitor [--dry-run] [FOLDER]\n"
    "\n"
    "Removes the entries of named channels whose owner is dead, and says what it removed, what it\n"
    "left, and why. Never touches what a live process holds; may run at any time.\n"
    "\n"
    "  FOLDER     ipc-compare.<uid> in $XDG_RUNTIME_DIR, or else in /dev/shm or /tmp\n"
    "  --dry-run  only say what would be removed\n"
    "  --help     print this\n"
    "\n"
    "Exit code: 0 done, 1 the folder was refused or something could not be removed, 2 usage.\n";

void tell(const std::filesystem::path& folder, ipc::Sweep what) {
  const char* removed = what == ipc::Sweep::remove ? "removed" : "would remove";
  const auto all = ipc::sweep(folder, what);
  for (const auto& each : all) {
    std::printf("%s %s: %s\n", each.removed ? removed : "left", each.entry.c_str(),
                each.why.c_str());
  }
  if (all.empty()) std::printf("nothing in %s\n", folder.c_str());
}

}  // namespace

int main(int count, char** arguments) {
  ipc::Sweep what = ipc::Sweep::remove;
  std::filesystem::path folder;
  for (int i = 1; i < count; ++i) {
    const std::string_view argument = arguments[i];
    if (argument == "--help") return std::fputs(usage, stdout) < 0 ? 1 : 0;
    if (argument == "--dry-run") {
      what = ipc::Sweep::only_tell;
    } else if (argument.starts_with('-') || argument.empty() || !folder.empty()) {
      std::fputs(usage, stderr);
      return 2;
    } else {
      folder = argument;
    }
  }
  try {
    tell(folder.empty() ? ipc::NamedFolder::default_path() : folder, what);
  } catch (const std::exception& error) {
    std::fprintf(stderr, "ipc-janitor: %s\n", error.what());
    return 1;
  }
  return 0;
}
