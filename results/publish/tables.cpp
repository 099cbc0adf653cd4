#include "results/publish/tables.hpp"

#include <algorithm>
#include <array>
#include <iterator>
#include <string>

#include <fmt/format.h>

#include "results/publish/figures.hpp"
#include "results/publish/pool_tables.hpp"

namespace results {
namespace {

using namespace figures;

// The sizes at which one column has to stand for all: small enough to show the mechanism alone,
// and large enough to show copying alone.
constexpr std::string_view small = "64";
constexpr std::string_view large = "65536";

TableSpec round_trip(std::string_view id, std::string_view title, std::string_view question,
                     std::string_view timed, std::string_view cpus, bool folded) {
  return {.id = id,
          .title = title,
          .question = question,
          .timed = timed,
          .scenario = "round_trip",
          .where = {{"cpus", cpus}},
          .rows = {"channel"},
          .columns = {{.heading = "", .figure = p50, .spread = "bytes"},
                      {.heading = "× cache line",
                       .figure = times_cache_line,
                       .where = {{"bytes", small}}},
                      {.heading = "CPU per message", .figure = cpu, .where = {{"bytes", small}}}},
          .folded = folded};
}

TableSpec one_way(std::string_view id, std::string_view title, std::string_view question,
                  std::string_view timed, std::string_view cpus, bool folded) {
  return {.id = id,
          .title = title,
          .question = question,
          .timed = timed,
          .scenario = "one_way",
          .where = {{"cpus", cpus}},
          .rows = {"channel"},
          .columns = {{.heading = "", .figure = messages, .spread = "bytes"},
                      {.heading = "64 KiB", .figure = bytes, .where = {{"bytes", large}}},
                      {.heading = "CPU per message", .figure = cpu, .where = {{"bytes", small}}}},
          .folded = folded};
}

// A column for one place of the two sides, at the small size.
Column place(std::string_view heading, std::string_view cpus, std::string_view peer) {
  return {.heading = heading, .figure = p50, .where = {{"cpus", cpus}, {"peer", peer}}};
}

Column over_bare_loop(std::string_view heading, std::string_view cpus) {
  return {.heading = heading, .figure = times_bare_loop, .where = {{"cpus", cpus}}};
}

// What became of an end whose peer was killed; `watched` is whether the channel is Watched.
Column known(std::string_view heading, const Figure& figure, std::string_view watched) {
  return {.heading = heading, .figure = figure, .where = {{"watched", watched}}};
}

// Messages of this size fit a cache line together with what a ring adds.
Column in_a_cache_line(std::string_view heading, const Figure& figure, std::string_view bytes) {
  return {.heading = heading, .figure = figure, .where = {{"bytes", bytes}}};
}

std::vector<TableSpec> channel_tables() {
  return {
      {.id = "shared_data",
       .title = "Processes or threads sharing data?",
       .question = "What does it cost when workers change the same data: threads under a lock, "
                   "processes under a lock in shared memory, or messages to the one who owns it?",
       .timed = "Time per update while all workers update as fast as they can; the atomic is the "
                "limit of what any lock could reach.",
       .scenario = "shared_data",
       .rows = {"guard", "peer"},
       .columns = {{.heading = "", .figure = time, .spread = "workers"},
                   {.heading = "× atomic",
                    .figure = time,
                    .where = {{"workers", "2"}},
                    .relative_to = Reference{.keys = {{"guard", "atomic"}},
                                             .same = {"data", "peer", "cpus", "workers"}}},
                   {.heading = "CPU per update", .figure = cpu, .where = {{"workers", "2"}}}}},
      round_trip("round_trip_cross", "A message there and back, on two CPUs",
                 "How long until the answer is here, when the two sides run on a CPU each?",
                 "Median time from sending a message to having its answer, which is as long.",
                 "cross", false),
      {.id = "in_a_cache_line",
       .title = "A message that fits a cache line",
       .question = "How near does a mechanism that spins come to the limit, a cache line each way?",
       .timed = "Median round trip of 32 and 48 B on two CPUs; the cache line there and back is "
                "measured beside it, in the same launch.",
       .scenario = "round_trip",
       .where = {{"cpus", "cross"}},
       .rows = {"channel", "peer"},
       .columns = {in_a_cache_line("32 B", p50, "32"),
                   in_a_cache_line("32 B × cache line", times_cache_line, "32"),
                   in_a_cache_line("48 B", p50, "48"),
                   in_a_cache_line("48 B × cache line", times_cache_line, "48")}},
      {.id = "placement",
       .title = "Where the two sides run",
       .question = "How much of it is the mechanism, and how much is waking the other side?",
       .timed =
           "Median round trip of 64 B: on two CPUs, on the same CPU, and wherever the kernel puts "
           "the two.",
       .scenario = "round_trip",
       .where = {{"bytes", small}},
       .rows = {"channel"},
       .columns = {place("2 CPUs: processes", "cross", "process"),
                   place("2 CPUs: threads", "cross", "thread"),
                   place("1 CPU: processes", "same", "process"),
                   place("1 CPU: threads", "same", "thread"),
                   place("any: processes", "any", "process"),
                   place("any: threads", "any", "thread")}},
      round_trip("round_trip_same", "A message there and back, on the same CPU",
                 "The same when both sides share a CPU, so that each answer is a context switch.",
                 "Median time from sending a message to having its answer, which is as long.",
                 "same", true),
      round_trip("round_trip_any", "A message there and back, wherever the kernel puts the two",
                 "The same without pinning, which is what most programs do.",
                 "Median time from sending a message to having its answer, which is as long.",
                 "any", true),
      {.id = "tail",
       .title = "The slow ones",
       .question = "How long do the slowest round trips take?",
       .timed = "Percentiles over all samples of a launch: round trip of 64 B on two CPUs. Where a "
                "sample "
                "is several round trips, it is their average, which hides single slow ones.",
       .scenario = "round_trip",
       .where = {{"cpus", "cross"}, {"bytes", small}},
       .rows = {"channel"},
       .columns = {{.heading = "p50", .figure = p50},
                   {.heading = "p90", .figure = p90},
                   {.heading = "p99", .figure = p99},
                   {.heading = "p99.9", .figure = p99_9},
                   {.heading = "max", .figure = slowest},
                   {.heading = "round trips per sample", .figure = batch}}},
      {.id = "slow_answer",
       .title = "Waiting for an answer that takes its time",
       .question = "What does the waiting itself cost, when the other side has something to do?",
       .timed = "Round trip of 64 B whose answer is slept over first: the time above that sleep is "
                "the mechanism's and the timer's, and the CPU time is that of both sides.",
       .scenario = "slow_answer",
       .where = {{"bytes", small}},
       .rows = {"channel"},
       .columns = {{.heading = "p50", .figure = p50},
                   {.heading = "p99", .figure = p99},
                   {.heading = "CPU per message", .figure = cpu}}},
      {.id = "over_bare_loop",
       .title = "What the contract adds",
       .question = "How much slower is a channel than a bare loop of the same system calls?",
       .timed = "Median round trip of 64 B through the channel, divided by that of the loop beside "
                "it, which keeps no borders, checks nothing and has no deadlines.",
       .scenario = "round_trip",
       .where = {{"bytes", small}},
       .rows = {"channel"},
       .columns = {over_bare_loop("two CPUs", "cross"), over_bare_loop("same CPU", "same"),
                   over_bare_loop("any", "any")}},
      {.id = "notify",
       .title = "A wake-up and nothing else",
       .question = "What does it cost to wake the other side when there is nothing to carry?",
       .timed = "Median time from waking the other side to being woken by it; the two bare futexes "
                "are measured beside it, in the same launch.",
       .scenario = "notify",
       .rows = {"notifier"},
       .columns = {place("2 CPUs: processes", "cross", "process"),
                   place("2 CPUs: threads", "cross", "thread"),
                   place("1 CPU: processes", "same", "process"),
                   place("1 CPU: threads", "same", "thread"),
                   {.heading = "× futex",
                    .figure = times_futex_wake,
                    .where = {{"cpus", "cross"}, {"peer", "process"}}},
                   {.heading = "CPU per wake-up",
                    .figure = cpu,
                    .where = {{"cpus", "cross"}, {"peer", "process"}}}}},
      one_way("one_way_cross", "A stream of messages, on two CPUs",
              "How many messages go from one side to the other when nobody waits for an answer?",
              "Messages received per second, by length; the bytes per second are those at 64 KiB.",
              "cross", false),
      one_way("one_way_same", "A stream of messages, on the same CPU",
              "The same when both sides share a CPU.",
              "Messages received per second, by length; the bytes per second are those at 64 KiB.",
              "same", true),
      one_way("one_way_any", "A stream of messages, wherever the kernel puts the two",
              "The same without pinning.",
              "Messages received per second, by length; the bytes per second are those at 64 KiB.",
              "any", true),
      {.id = "loan",
       .title = "Writing and reading in place",
       .question = "What does it bring to write a message where it will be read, without copies?",
       .timed =
           "Messages per second of which every byte is written and read: in the channel, or in "
           "buffers of their own that are copied in and out; both in the same launch.",
       .scenario = "loan",
       .rows = {"channel", "bytes"},
       .columns = {{.heading = "in place", .figure = messages},
                   {.heading = "copied", .figure = copies},
                   {.heading = "in place × copied", .figure = times_copy}}},
      {.id = "peer_death",
       .title = "When the other side is killed",
       .question =
           "What does an end that waits learn of its peer's death, and how soon? By itself, "
           "and with the adapter that watches the peer's process?",
       .timed =
           "Time from kill(2) to the end that is left knowing; both were at work. told: the "
           "channel is closed. exception: it is lost, with an error. not told: it would wait "
           "for ever, or try again and again. crashed: the library under it ended the process.",
       .scenario = "peer_death",
       .rows = {"channel", "killed"},
       .columns = {known("by itself", label, "no"), known("p50", known_p50, "no"),
                   known("max", known_max, "no"), known("watched", label, "yes"),
                   known("watched p50", known_p50, "yes"), known("watched max", known_max, "yes")}},
  };
}

TableSpec floor_table() {
  return {.id = "floor",
          .title = "The limits of this machine",
          .question = "What could no mechanism beat?",
          .timed =
              "Time per operation, measured with as little around it as possible; cache_line, "
              "futex_wake and the loops are there and back.",
          .scenario = "floor",
          .rows = {"what", "peer", "cpus", "bytes"},
          .columns = {{.heading = "time", .figure = time},
                      {.heading = "p99", .figure = p99},
                      {.heading = "max", .figure = slowest}},
          .a_scale_per_cell = true};
}

std::vector<TableSpec> declare() {
  std::vector<TableSpec> all = channel_tables();
  std::ranges::copy(pool_tables(), std::back_inserter(all));
  all.push_back(floor_table());
  return all;
}

}  // namespace

const std::vector<TableSpec>& tables() {
  static const std::vector<TableSpec> all = declare();
  return all;
}

const TableSpec& summary_table() {
  static const TableSpec summary{
      .id = "summary",
      .title = "64 B, on two CPUs",
      .question = "",
      .timed = "",
      .scenario = "round_trip",
      .where = {{"cpus", "cross"}, {"bytes", small}},
      .rows = {"channel"},
      .columns = {
          {.heading = "processes", .figure = p50, .where = {{"peer", "process"}}},
          {.heading = "threads", .figure = p50, .where = {{"peer", "thread"}}},
          {.heading = "× cache line", .figure = times_cache_line, .where = {{"peer", "process"}}},
          {.heading = "CPU", .figure = cpu, .where = {{"peer", "process"}}},
          {.heading = "stream",
           .figure = messages,
           .where = {{"peer", "process"}},
           .scenario = "one_way"}}};
  return summary;
}

std::string words_for(std::string_view key, std::string_view value) {
  struct Words {
    std::string_view key, value, words;
  };
  constexpr std::array<Words, 17> known{{{"cpus", "cross", "on different CPUs"},
                                         {"cpus", "same", "on one CPU"},
                                         {"cpus", "any", "wherever the kernel puts them"},
                                         {"survivor", "waits", "Waiting without a deadline"},
                                         {"survivor", "deadline", "Waiting with deadlines"},
                                         {"peer", "process", "Between processes"},
                                         {"peer", "thread", "Between threads"},
                                         {"data", "counter", "One counter"},
                                         {"data", "table", "A table of 1 MiB"},
                                         {"chunk", "1", "Every item a task of its own"},
                                         {"chunk", "auto", "Items in chunks"},
                                         {"task", "xorshift_20us", "Tasks that compute"},
                                         {"task", "sleep_1ms", "Tasks that sleep"},
                                         {"task", "empty", "Tasks that do nothing"},
                                         {"workers", "1", "1 worker"},
                                         {"parent", "small", "in a small program"},
                                         {"parent", "256_MiB", "in one of 256 MiB"}}};
  for (const Words& each : known) {
    if (each.key == key && each.value == value) return std::string(each.words);
  }
  if (key == "workers") return fmt::format("{} workers", value);
  if (key == "bytes") return bytes_text(value);
  if (key == "answer_us") return fmt::format("the answer takes {} µs", value);
  return fmt::format("{}: {}", key, value);
}

std::string label_for(std::string_view key, std::string_view value) {
  if (key == "bytes") return bytes_text(value);
  if (key == "peer" && value == "process") return "processes";
  if (key == "peer" && value == "thread") return "threads";
  if (key == "cpus" && value == "cross") return "2 CPUs";
  if (key == "cpus" && value == "same") return "1 CPU";
  if (key == "task" && value == "xorshift_20us") return "computes 20 µs";
  if (key == "task" && value == "sleep_1ms") return "sleeps 1 ms";
  return std::string(value);
}

std::string heading_for(std::string_view key) {
  struct Words {
    std::string_view key, heading;
  };
  constexpr std::array<Words, 5> known{{{"channel", "mechanism"},
                                        {"guard", "guarded by"},
                                        {"peer", "between"},
                                        {"what", "operation"},
                                        {"bytes", "size"}}};
  for (const Words& each : known) {
    if (each.key == key) return std::string(each.heading);
  }
  return std::string(key);
}

}  // namespace results
