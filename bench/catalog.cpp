// What is there to measure? Channels, pools, locks, scenarios, and which rows are absent and why.
//
//   catalog           a text for people
//   catalog --json    the same for programs
#include <algorithm>
#include <array>
#include <cstdio>
#include <map>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include <fmt/format.h>
#include <nlohmann/json.hpp>

#include "bench/axes.hpp"
#include "bench/placement.hpp"
#include "ipc/channels.hpp"
#include "ipc/locks.hpp"
#include "ipc/notifiers.hpp"
#include "pools/pools.hpp"

namespace bench {
namespace {

using Json = nlohmann::ordered_json;

struct Scenario {
  std::string_view name;
  std::string_view asks;
};

constexpr std::array scenarios{
    Scenario{"floor", "what are the limits of this machine?"},
    Scenario{"round_trip", "what does a message there and back cost?"},
    Scenario{"slow_answer", "what does it cost to wait for an answer that takes its time?"},
    Scenario{"one_way", "how fast does a stream flow from one to one?"},
    Scenario{"loan", "what does it bring to write and read a message in place?"},
    Scenario{"notify", "what does waking the other side cost, without a message?"},
    Scenario{"shared_data", "what does it cost to share data: by locks, by messages, by atomics?"},
    Scenario{"pool_map", "what does a task cost, and what does one more worker bring?"},
    Scenario{"peer_death", "what does an end that waits learn of its peer's death, and how soon?"}};

std::string_view to_text(ipc::Arity arity) {
  return arity == ipc::Arity::one ? "one" : "many";
}
std::string_view to_text(bool yes) {
  return yes ? "yes" : "no";
}
std::string_view to_text(ipc::OwnerDeath death) {
  return death == ipc::OwnerDeath::frees    ? "frees"
         : death == ipc::OwnerDeath::breaks ? "breaks"
                                            : "blocks";
}

Json channels() {
  Json list = Json::array();
  for (const ipc::AnyChannel& channel : ipc::all_channels()) {
    const ipc::Traits& traits = channel.traits;
    list.push_back({{"name", channel.name},
                    {"message_bytes_max", traits.message_bytes_max},
                    {"senders", to_text(traits.senders)},
                    {"receivers", to_text(traits.receivers)},
                    {"crosses_processes", traits.crosses_processes},
                    {"tells_of_peer_death", traits.tells_of_peer_death()},
                    {"waiter_may_be_killed", traits.waiter_may_be_killed},
                    {"spins", traits.spins},
                    {"wait", traits.wait},
                    {"outlives_crash", traits.outlives_crash}});
  }
  return list;
}

Json pools() {
  Json list = Json::array();
  for (const ::pools::PoolKind& kind : ::pools::all_pools()) {
    list.push_back({{"name", kind.name},
                    {"kind", kind.processes() ? "process" : "thread"},
                    {"over", kind.over}});
  }
  return list;
}

Json locks() {
  Json list = Json::array();
  ipc::AllLocks::for_each([&]<class L>() {
    const ipc::LockTraits& traits = L::traits;
    list.push_back({{"name", L::name},
                    {"excludes_threads", traits.excludes_threads},
                    {"crosses_processes", traits.crosses_processes},
                    {"owner_death", to_text(traits.owner_death)},
                    {"waiter_may_be_killed", traits.waiter_may_be_killed},
                    {"fair", traits.fair},
                    {"spins", traits.spins}});
  });
  return list;
}

Json notifiers() {
  Json list = Json::array();
  ipc::AllNotifiers::for_each([&]<class N>() { list.push_back({{"name", N::name}}); });
  return list;
}

// Regular expressions for names of rows that one would look for in vain.
Json absent(bool two_cpus) {
  // Channels that lack the same rows for the same reason are told together.
  std::map<std::pair<std::string, std::string>, std::string> together;
  for (const ipc::AnyChannel& channel : ipc::all_channels()) {
    const auto add = [&](const std::string& rest, const std::string& reason) {
      std::string& names = together[{rest, reason}];
      names.append(names.empty() ? "" : "|").append(channel.name);
    };
    const std::size_t shortest = message_bytes.front();
    for (const PeerKind peer : peer_kinds) {
      if (const auto reason = why_absent(channel.traits, peer, shortest)) {
        add("/peer:" + std::string(to_text(peer)) + "/.*", *reason);
      }
    }
    for (const std::size_t bytes : message_bytes) {
      if (const auto reason = why_absent(channel.traits, PeerKind::thread, bytes)) {
        add("/.*/bytes:" + std::to_string(bytes), *reason);
      }
    }
    if (!polls_first(channel.traits)) {
      add("/.*/bytes:(32|48)",
          "only who polls before it sleeps is fast enough to show how a cache line fills up");
    }
  }
  Json list = Json::array();
  for (const auto& [key, names] : together) {
    list.push_back({{"rows", "((round_trip|one_way)/channel:|shared_data/.*/guard:owner_)(" +
                                 names + ")" + key.first},
                    {"reason", key.second}});
  }
  ipc::AllLocks::for_each([&]<class L>() {
    for (const PeerKind peer : peer_kinds) {
      const auto reason = why_absent(L::traits, peer);
      if (!reason) continue;
      list.push_back(
          {{"rows", fmt::format("shared_data/.*/guard:{}/peer:{}/.*", L::name, to_text(peer))},
           {"reason", *reason}});
    }
  });
  list.push_back({{"rows", "floor/what:cache_line.*/cpus:(same|any)"},
                  {"reason", "two that spin need a CPU each"}});
  list.push_back(
      {{"rows",
        two_cpus ? "shared_data/.*/cpus:(same|any)/.*" : "shared_data/.*/cpus:(cross|any)/.*"},
       {"reason", "every worker has its place: one CPU after the other, round and round"}});
  if (!two_cpus) {
    list.push_back({{"rows", ".*/cpus:cross.*"}, {"reason", "this process may use one CPU only"}});
  }
  return list;
}

std::string with_unit(std::size_t bytes) {
  constexpr std::array units{"B", "KiB", "MiB", "GiB"};
  std::size_t unit = 0;
  for (; unit + 1 < units.size() && bytes >= 1024 && bytes % 1024 == 0; ++unit) bytes /= 1024;
  return fmt::format("{} {}", bytes, units[unit]);
}

// A long regular expression over several lines, cut where it says "or".
std::string wrapped(const std::string& rows) {
  constexpr std::size_t columns = 96;
  std::string text;
  std::string line = "  ";
  for (std::size_t from = 0; from < rows.size();) {
    const std::size_t to = std::min(rows.find('|', from), rows.size() - 1) + 1;
    if (line.size() + to - from > columns) {
      text += line + "\n";
      line = "    ";
    }
    line += rows.substr(from, to - from);
    from = to;
  }
  return text + line + "\n";
}

void print(const Json& catalog) {
  constexpr std::string_view row = "  {:<32}{:<9}{:<14}{:<11}{:<13}{:<13}{}\n";
  fmt::print("Channels\n");
  fmt::print(row, "name", "longest", "ends", "processes", "tells death", "kill waiter", "waits by");
  for (const Json& channel : catalog.at("channels")) {
    const auto word = [&](const char* key) { return channel.at(key).get<std::string>(); };
    const auto yes = [&](const char* key) { return to_text(channel.at(key).get<bool>()); };
    fmt::print(row, word("name"), with_unit(channel.at("message_bytes_max").get<std::size_t>()),
               word("senders") + " to " + word("receivers"), yes("crosses_processes"),
               yes("tells_of_peer_death"), yes("waiter_may_be_killed"), word("wait"));
  }
  fmt::print(
      "  longest: the longest message    ends: senders to receivers\n"
      "  tells death: one who waits learns at once that its peer was killed\n"
      "  kill waiter: one who waits may be killed without harm to others\n"
      "\nLeft behind when all are killed\n");
  for (const Json& channel : catalog.at("channels")) {
    const auto left = channel.at("outlives_crash").get<std::string>();
    if (left != "nothing") fmt::print("  {:<20}{}\n", channel.at("name").get<std::string>(), left);
  }
  const auto print_list = [&](const char* title, const char* key, const char* first,
                              const char* second) {
    fmt::print("\n{}\n", title);
    for (const Json& entry : catalog.at(key)) {
      fmt::print("  {:<28}{}\n", entry.at(first).get<std::string>(),
                 second == nullptr ? "" : entry.at(second).get<std::string>());
    }
  };
  print_list("Pools", "pools", "name", "kind");
  constexpr std::string_view lock_row = "  {:<20}{:<9}{:<11}{:<13}{:<13}{:<6}{}\n";
  fmt::print("\nLocks\n");
  fmt::print(lock_row, "name", "threads", "processes", "owner death", "kill waiter", "fair",
             "spins");
  for (const Json& lock : catalog.at("locks")) {
    const auto word = [&](const char* key) { return lock.at(key).get<std::string>(); };
    const auto yes = [&](const char* key) { return to_text(lock.at(key).get<bool>()); };
    fmt::print(lock_row, word("name"), yes("excludes_threads"), yes("crosses_processes"),
               word("owner_death"), yes("waiter_may_be_killed"), yes("fair"), yes("spins"));
  }
  fmt::print(
      "  threads, processes: between whom it works\n"
      "  owner death: a process that has it is killed; this frees it for the next one, breaks it\n"
      "    with an error for all others, or blocks them for ever\n"
      "  fair: first come, first served    spins: who waits keeps a CPU busy\n");
  fmt::print("\nNotifiers\n");
  for (const Json& notifier : catalog.at("notifiers")) {
    fmt::print("  {}\n", notifier.at("name").get<std::string>());
  }
  print_list("Scenarios", "scenarios", "name", "asks");
  fmt::print("\nAbsent rows\n");
  for (const Json& entry : catalog.at("absent")) {
    fmt::print("{}      {}\n", wrapped(entry.at("rows").get<std::string>()),
               entry.at("reason").get<std::string>());
  }
}

int run(int argc, char** argv) {
  const bool json = argc == 2 && std::string_view(argv[1]) == "--json";
  if (argc > 1 && !json) {
    fmt::print(stderr, "usage: catalog [--json]\n");
    return 2;
  }
  Json catalog{{"channels", channels()},     {"pools", pools()},
               {"locks", locks()},           {"notifiers", notifiers()},
               {"scenarios", Json::array()}, {"absent", absent(Placement().two_cpus())}};
  for (const Scenario& each : scenarios) {
    catalog["scenarios"].push_back({{"name", each.name}, {"asks", each.asks}});
  }
  if (json) {
    fmt::print("{}\n", catalog.dump(2));
  } else {
    print(catalog);
  }
  return 0;
}

}  // namespace
}  // namespace bench

int main(int argc, char** argv) {
  return bench::run(argc, argv);
}
