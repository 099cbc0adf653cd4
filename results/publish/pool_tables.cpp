#include "results/publish/pool_tables.hpp"

#include "results/publish/figures.hpp"

namespace results {
namespace {

using namespace figures;

// Tasks per second with so many workers, as a multiple of those with one.
Column against_one(std::string_view heading, std::string_view workers) {
  return {.heading = heading,
          .figure = tasks,
          .where = {{"workers", workers}},
          .relative_to =
              Reference{.keys = {{"workers", "1"}}, .same = {"pool", "task", "chunk", "cpus"}}};
}

// A column for one place of the caller and the worker.
Column place(std::string_view heading, const Figure& figure, std::string_view cpus) {
  return {.heading = heading, .figure = figure, .where = {{"cpus", cpus}}};
}

}  // namespace

std::vector<TableSpec> pool_tables() {
  return {
      {.id = "pools",
       .title = "A process pool or a thread pool?",
       .question =
           "How many tasks does a pool get done when the tasks themselves cost nothing, and "
           "what do more workers bring?",
       .timed = "Tasks per second from the first submit to the last result: every item a task of "
                "its own, which shows the pool, and in chunks, as by default. Python's rows are "
                "those of Python's own pools, called from Python.",
       .scenario = "pool_map",
       .where = {{"task", "empty"}},
       .rows = {"pool"},
       .columns = {{.heading = "", .figure = tasks, .spread = "workers"},
                   against_one("2 against 1", "2")}},
      {.id = "pool_work",
       .title = "Processes or threads for work that computes, and for work that waits?",
       .question = "What does a worker more bring, on processes and on threads, in C++ and in "
                   "Python?",
       .timed = "Tasks per second, each item a task. To compute is about 20 µs of the same "
                "arithmetic, as many steps as fit in them in that language: so it shows how work "
                "grows with workers, not how fast a language is. To sleep uses no CPU.",
       .scenario = "pool_map",
       .where = {{"task", "xorshift_20us|sleep_1ms"}, {"chunk", "1"}},
       .rows = {"pool", "task"},
       .columns = {{.heading = "", .figure = tasks, .spread = "workers"},
                   against_one("2 against 1", "2"),
                   against_one("8 against 1", "8")}},
      {.id = "pool_dispatch",
       .title = "One task and its result",
       .question = "What does it cost to have one task done, and how much of it is the pool?",
       .timed = "Time from submit() to the result of a task that does nothing, with one worker. "
                "× round trip: against the bare round trip of 64 B over the same channel, for "
                "threads over a queue under the same lock, measured beside it.",
       .scenario = "pool_dispatch",
       .rows = {"pool"},
       .columns = {place("2 CPUs: p50", p50, "cross"), place("2 CPUs: p99", p99, "cross"),
                   place("× round trip", times_round_trip, "cross"),
                   place("1 CPU: p50", p50, "same"),
                   place("1 CPU: × round trip", times_round_trip, "same"),
                   place("any: p50", p50, "any"), place("CPU per task", cpu_per_task, "cross")}},
      {.id = "pool_death",
       .title = "When a worker is killed",
       .question = "What does the caller learn of a worker that is killed at work, and how soon?",
       .timed = "Time from kill(2) to the exception from the future of the task that it had. not "
                "told: the result does not come, then or ever, and the caller had a deadline.",
       .scenario = "pool_death",
       .rows = {"pool"},
       .columns = {{.heading = "the caller is", .figure = label},
                   {.heading = "p50", .figure = known_p50},
                   {.heading = "p99", .figure = known_p99},
                   {.heading = "max", .figure = known_max}}},
      {.id = "lifecycle",
       .title = "Workers come and go",
       .question = "What does it cost to have two workers, give them one task, and let them go?",
       .timed = "Time from nothing to nothing: the pool is made, runs one task, and every worker "
                "has ended. The program is small, or has touched 256 MiB before.",
       .scenario = "lifecycle",
       .rows = {"what", "pool", "start"},
       .columns = {{.heading = "p50", .figure = p50, .spread = "parent"},
                   {.heading = "p99", .figure = p99, .spread = "parent"}},
       .a_scale_per_cell = true},
      {.id = "pool_echo",
       .title = "Large arguments and large results",
       .question = "What does it cost to send a task much data and to have it back?",
       .timed = "Time from submit() to the result of a task that gives back what it gets, with one "
                "worker. Between threads of Python that is a reference, and nothing is copied. "
                "shared_array: the data lies where both have it; filled: the caller copies it in "
                "before, and out after.",
       .scenario = "pool_echo",
       .rows = {"pool", "payload"},
       .columns = {{.heading = "", .figure = time, .spread = "bytes"}}},
      {.id = "memory",
       .title = "What an idle worker keeps in memory",
       .question = "How much does a worker cost that has nothing to do?",
       .timed = "Of a process, what is its own: private pages, and PSS, to which its share of "
                "shared pages belongs. Of a thread, what the process has more with it.",
       .scenario = "memory",
       .rows = {"pool"},
       .columns = {{.heading = "PSS", .figure = pss},
                   {.heading = "private", .figure = private_memory}}},
  };
}

}  // namespace results
