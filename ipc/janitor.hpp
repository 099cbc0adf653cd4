// Removes the entries that killed owners have left in the folder of named channels.
#pragma once

#include <filesystem>
#include <string>
#include <vector>

#include "ipc/named_folder.hpp"

namespace ipc {

struct Swept {
  std::string entry;
  bool removed;
  std::string why;
};

enum class Sweep : std::uint8_t { remove, only_tell };

// Goes through `folder` and tells of each thing that is there whether it was removed (or would be),
// and why. Removes nothing but sockets of ours whose owner is certainly dead.
// Takes no lock and may run at any time: an entry of a dead owner cannot come to life, since its
// name has the time at which the owner started; and nobody else makes an entry of that name.
// Throws what NamedFolder::find throws. Does not wait.
inline std::vector<Swept> sweep(const std::filesystem::path& folder_path,
                                Sweep what = Sweep::remove) {
  std::vector<Swept> all;
  const auto folder = NamedFolder::find(folder_path);
  if (!folder) return all;
  for (const auto& name : folder->names()) {
    const auto leave = [&](std::string why) { all.push_back({name, false, std::move(why)}); };
    const auto entry = NamedEntry::parse(name);
    if (!entry) {
      leave("its name is not an entry's");
      continue;
    }
    const std::string owner = "its owner, process " + std::to_string(entry->owner.pid) + ", ";
    switch (entry->owner.look().state) {
      case Owner::State::alive:
        leave(owner + "is alive");
        break;
      case Owner::State::unknown:
        leave(owner + "cannot be seen from here (another PID namespace, or a hidden /proc)");
        break;
      case Owner::State::dead:
        if (!folder->is_socket_of_ours(name)) {
          leave("it is not a socket of ours");
          break;
        }
        if (what == Sweep::remove) folder->remove(name);
        all.push_back({name, true, owner + "is dead"});
    }
  }
  return all;
}

}  // namespace ipc
