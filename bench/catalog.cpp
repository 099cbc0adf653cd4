// What is there to measure? Channels, pools, locks, scenarios, and which rows are absent and why.
//
//   catalog                 a text for people
//   catalog --json          the same for programs
//   catalog --markdown      the channels alone, as the table of ipc/README.md
//   catalog --size=full     which rows are absent from that size; otherwise from the quick one
#include <algorithm>
#include <array>
#include <cstdio>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include <fmt/format.h>
#include <fmt/ranges.h>
#include <nlohmann/json.hpp>

#include "bench/absent_rows.hpp"
#include "bench/other_pools.hpp"
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
    Scenario{"lifecycle", "what do workers cost to have and to let go?"},
    Scenario{"pool_dispatch", "what does it cost to have one task done?"},
    Scenario{"pool_death", "a worker is killed at work: how soon does the caller know?"},
    Scenario{"pool_echo", "what does it cost to send a task much data and to have it back?"},
    Scenario{"memory", "what does a worker keep in memory while it has nothing to do?"},
    Scenario{"python_pools", "the same, of Python's pools: rows in the scenarios of ours"},
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
                    {"death_notice", traits.death_notice},
                    {"waiter_may_be_killed", traits.waiter_may_be_killed},
                    {"tries_without_waiting", traits.tries_without_waiting},
                    {"loans", channel.loans},
                    {"pollable", channel.pollable},
                    {"spins", traits.spins},
                    {"wait", traits.wait},
                    {"outlives_crash", traits.outlives_crash},
                    {"opened_by", traits.opened_by}});
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

// Pools that are not ours. What is missing here has no rows, and says why.
Json other_pools() {
  Json list = Json::array();
  const auto add = [&](std::string_view name, std::string_view kind, std::string_view why_absent) {
    list.push_back({{"name", name}, {"kind", kind}});
    if (!why_absent.empty()) list.back()["absent"] = why_absent;
  };
  for (const OtherPoolKind& kind : {boost_asio_thread_pool(), onetbb_task_arena()}) {
    add(kind.name, "thread", kind.why_absent);
  }
  const std::string no_python =
      has_python() ? "" : fmt::format("there is no {} here: install python3", python);
  add("python_multiprocessing_pool", "process", no_python);
  add("python_process_pool_executor", "process", no_python);
  add("python_thread_pool_executor", "thread", no_python);
  add("python_threading", "thread", no_python);
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

// What one channel can do, in the words of both tables.
struct ChannelWords {
  explicit ChannelWords(const Json& channel) : of(channel) {}

  [[nodiscard]] std::string word(const char* key) const { return of.at(key).get<std::string>(); }
  [[nodiscard]] std::string yes(const char* key) const {
    return std::string(to_text(of.at(key).get<bool>()));
  }
  [[nodiscard]] std::string longest() const {
    return with_unit(of.at("message_bytes_max").get<std::size_t>());
  }
  [[nodiscard]] std::string ends() const { return word("senders") + " to " + word("receivers"); }
  [[nodiscard]] std::string death_notice() const {
    const std::string notice = word("death_notice");
    return notice.empty() ? "no" : notice;
  }

  const Json& of;
};

void print_channels(const Json& list) {
  constexpr std::string_view row = "  {:<32}{:<9}{:<14}{:<10}{:<6}{:<6}{:<6}{:<6}{:<6}{}\n";
  fmt::print("Channels\n");
  fmt::print(row, "name", "longest", "ends", "processes", "tells", "kill", "try", "loan", "poll",
             "waits by");
  for (const Json& each : list) {
    const ChannelWords channel(each);
    fmt::print(row, channel.word("name"), channel.longest(), channel.ends(),
               channel.yes("crosses_processes"), channel.yes("tells_of_peer_death"),
               channel.yes("waiter_may_be_killed"), channel.yes("tries_without_waiting"),
               channel.yes("loans"), channel.yes("pollable"), channel.word("wait"));
  }
  fmt::print(
      "  longest: the longest message    ends: senders to receivers\n"
      "  tells: one who waits learns at once that its peer was killed\n"
      "  kill: one who waits may be killed without harm to others\n"
      "  try: with the deadline now nobody waits, whatever a peer was doing when it stopped\n"
      "  loan: messages are written and read in place    poll: a receiver has a descriptor\n");
  const auto print_those = [&](const char* title, const char* key, const std::string& usual) {
    fmt::print("\n{}\n", title);
    for (const Json& each : list) {
      const ChannelWords channel(each);
      if (channel.word(key) != usual)
        fmt::print("  {:<32}{}\n", channel.word("name"), channel.word(key));
    }
  };
  print_those("Who tells of a killed peer, and how", "death_notice", "");
  print_those("Left behind when all are killed", "outlives_crash", "nothing");
  print_those("Who else may get at it than those who inherit it or are handed it", "opened_by",
              std::string(ipc::Traits{}.opened_by));
}

void print_markdown(const Json& list) {
  fmt::print(
      "| channel | longest message | ends | processes | tells of a killed peer | waiter may be "
      "killed | tries without waiting | loans | pollable | waits by | outlives `kill -9` of all | "
      "who may open it |\n|---|---:|---|---|---|---|---|---|---|---|---|---|\n");
  for (const Json& each : list) {
    const ChannelWords channel(each);
    fmt::print("| `{}` | {} | {} | {} | {} | {} | {} | {} | {} | {} | {} | {} |\n",
               channel.word("name"), channel.longest(), channel.ends(),
               channel.yes("crosses_processes"), channel.death_notice(),
               channel.yes("waiter_may_be_killed"), channel.yes("tries_without_waiting"),
               channel.yes("loans"), channel.yes("pollable"), channel.word("wait"),
               channel.word("outlives_crash"), channel.word("opened_by"));
  }
}

void print(const Json& catalog) {
  print_channels(catalog.at("channels"));
  const auto print_list = [&](const char* title, const char* key, const char* first,
                              const char* second) {
    fmt::print("\n{}\n", title);
    for (const Json& entry : catalog.at(key)) {
      fmt::print("  {:<28}{}\n", entry.at(first).get<std::string>(),
                 second == nullptr ? "" : entry.at(second).get<std::string>());
    }
  };
  print_list("Pools", "pools", "name", "kind");
  fmt::print("\nPools of others\n");
  for (const Json& pool : catalog.at("other_pools")) {
    fmt::print("  {:<32}{}\n", pool.at("name").get<std::string>(),
               pool.contains("absent") ? "absent: " + pool.at("absent").get<std::string>()
                                       : pool.at("kind").get<std::string>());
  }
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
  constexpr std::string_view size_flag = "--size=";
  std::string_view form;
  std::optional<Size> size = Size::quick;
  for (const std::string_view argument :
       std::span(argv, static_cast<std::size_t>(argc)).subspan(1)) {
    if (argument.starts_with(size_flag)) {
      size = parse_size(argument.substr(size_flag.size()));
    } else if (form.empty() && (argument == "--json" || argument == "--markdown")) {
      form = argument;
    } else {
      size.reset();
    }
    if (size) continue;
    fmt::print(stderr, "usage: catalog [--json | --markdown] [--size=smoke|quick|full]\n");
    return 2;
  }
  Json catalog{{"channels", channels()},
               {"pools", pools()},
               {"other_pools", other_pools()},
               {"locks", locks()},
               {"notifiers", notifiers()},
               {"scenarios", Json::array()},
               {"absent", absent_rows(*size, Placement())}};
  for (const Scenario& each : scenarios) {
    if (each.name == "python_pools" && !has_python()) continue;
    catalog["scenarios"].push_back({{"name", each.name}, {"asks", each.asks}});
  }
  if (form == "--json") {
    fmt::print("{}\n", catalog.dump(2));
  } else if (form == "--markdown") {
    print_markdown(catalog.at("channels"));
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
