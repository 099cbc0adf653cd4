// What may go wrong while run files are stored, on the command line: one clear line, the right exit
// code, nothing lost and nothing stored by halves.
#include <fcntl.h>
#include <sched.h>
#include <soci/postgresql/soci-postgresql.h>
#include <soci/sqlite3/soci-sqlite3.h>
#include <sys/mount.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <chrono>
#include <csignal>
#include <functional>
#include <map>
#include <random>
#include <sstream>
#include <string>
#include <thread>
#include <vector>

#include <fmt/format.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "ipc/process.hpp"
#include "tests/history_fixture.hpp"
#include "tests/postgres_server.hpp"

namespace {

namespace fs = std::filesystem;
using history::Json;
using history::minute;
using history::Outcome;
using history::run_file;
using history::sh;
using results::Store;
using results::StoredRun;
using ::testing::AllOf;
using ::testing::HasSubstr;
using ::testing::Not;
using ::testing::SizeIs;

auto is_one_line() {
  return ::testing::ResultOf(
      "lines", [](const std::string& text) { return std::ranges::count(text, '\n'); }, 1);
}

std::vector<StoredRun> runs_in(const std::string& address) {
  return Store(address, Store::WhenMissing::refuse).read(results::list_runs);
}

class HistoryFaults : public testing::Test {
 protected:
  void write(const std::string& name, const Json& json) const {
    history::write(folder() / name, json);
  }
  void write(const std::string& name, const std::string& text) const {
    history::write(folder() / name, text);
  }
  [[nodiscard]] Outcome run(const std::string& line) const { return sh(folder(), line); }
  [[nodiscard]] const fs::path& folder() const { return scratch.path(); }
  [[nodiscard]] std::string address() const { return "sqlite:" + (folder() / "h.db").string(); }

  // Writes `count` run files with many rows, 0.json, 1.json, ...
  void write_runs(int count, int rows) const {
    for (int i = 0; i < count; ++i) {
      std::vector<std::pair<std::string, double>> times;
      for (int row = 0; row < rows; ++row) times.emplace_back(fmt::format("row/k:{}", row), 10 + i);
      write(fmt::format("{}.json", i), run_file(minute(i), times, 3));
    }
  }

  Scratch scratch;
};

TEST_F(HistoryFaults, bad_files_are_refused_and_good_ones_stored) {
  Json good = run_file(minute(0), {{"good/k:1", 10}});
  write("good.json", good);
  write("also_good.json", run_file(minute(1), {{"good/k:1", 11}}));
  write("truncated.json", good.dump(1).substr(0, 300));
  write("empty.json", std::string());
  write("foreign.json", std::string("{\"hello\": [1, 2]}"));
  Json newer = good;
  newer["context"]["ipc_compare"]["schema"] = 2;
  write("newer.json", newer);
  Json timeless = good;
  timeless["context"]["ipc_compare"].erase("started");
  write("timeless.json", timeless);
  Json versions = good;
  versions["benchmarks"].push_back(versions["benchmarks"][0]);
  versions["benchmarks"][1]["version"] = 2;
  write("versions.json", versions);
  Json half = good;
  half["benchmarks"][0]["version"] = 1.5;
  write("half.json", half);
  std::string nan = good.dump(1);
  nan.replace(nan.find("10.0"), 4, "NaN");
  write("nan.json", nan);

  const std::map<std::string, std::string> reasons{{"truncated", "unexpected end of input"},
                                                   {"empty", "is empty"},
                                                   {"foreign", "is missing"},
                                                   {"newer", "schema: is 2, this program reads 1"},
                                                   {"timeless", "started"},
                                                   {"versions", "versions 1 and 2"},
                                                   {"half", "version: is 1.5"},
                                                   {"nan", "parse error"},
                                                   {"nowhere", "there is no such file"}};
  for (const auto& [name, reason] : reasons) {
    const Outcome outcome = run(fmt::format("$history ingest {}.json --store sqlite:h.db", name));
    EXPECT_EQ(outcome.code, 2) << name;
    EXPECT_THAT(outcome.errors,
                AllOf(HasSubstr("not stored: "), HasSubstr(name + ".json: "), is_one_line()));
    EXPECT_EQ(outcome.output, "");
  }
  EXPECT_THAT(runs_in(address()), SizeIs(0));

  const Outcome outcome =
      run("$history ingest nan.json good.json empty.json also_good.json --store sqlite:h.db");
  EXPECT_EQ(outcome.code, 2);
  EXPECT_EQ(outcome.output, "stored: good.json as run 1\nstored: also_good.json as run 2\n");
  EXPECT_THAT(outcome.errors, AllOf(HasSubstr("nan.json"), HasSubstr("empty.json")));
  EXPECT_THAT(runs_in(address()), SizeIs(2));
}

TEST_F(HistoryFaults, the_same_file_is_stored_once) {
  const Json json = run_file(minute(0), {{"good/k:1", 10}});
  write("run.json", json);
  write("copy.json", json.dump());  // spelled otherwise
  EXPECT_EQ(run("$history ingest run.json --store sqlite:h.db").output,
            "stored: run.json as run 1\n");
  const Outcome again = run("$history ingest run.json copy.json --store sqlite:h.db");
  EXPECT_EQ(again.code, 0) << again.errors;
  EXPECT_EQ(again.output, "known: run.json is run 1\nknown: copy.json is run 1\n");
}

TEST_F(HistoryFaults, what_is_no_store_is_left_alone) {
  write("run.json", run_file(minute(0), {{"good/k:1", 10}}));
  write("text.db", std::string("This is a text, and long enough to be one, or so it seems.\n"));
  soci::session(soci::sqlite3, (folder() / "other.db").string()) << "create table mine (a integer)";
  const std::string text = read(folder() / "text.db"), other = read(folder() / "other.db");
  const std::map<std::string, std::string> reasons{
      {"sqlite:text.db", "is not a store but another kind of file"},
      {"sqlite:other.db", "holds tables of another program"},
      {"sqlite:.", "cannot be opened"},
      {"postgresql://nobody:secret@/none?host=/nowhere", "connection to server"}};
  for (const auto& [store, reason] : reasons) {
    const Outcome outcome = run(fmt::format("$history ingest run.json --store '{}'", store));
    EXPECT_EQ(outcome.code, 5) << store;
    EXPECT_THAT(outcome.errors, AllOf(HasSubstr(reason), is_one_line(), Not(HasSubstr("secret"))));
    EXPECT_EQ(outcome.output, "");
  }
  EXPECT_EQ(read(folder() / "text.db"), text);
  EXPECT_EQ(read(folder() / "other.db"), other);

  const Outcome missing = run("$history list --store sqlite:none.db");
  EXPECT_EQ(missing.code, 5);
  EXPECT_THAT(missing.errors, AllOf(HasSubstr("there is no such file"), is_one_line()));
  EXPECT_FALSE(fs::exists(folder() / "none.db")) << "who looks makes nothing";
  EXPECT_EQ(run("$history list --store elsewhere").code, 2);
}

TEST_F(HistoryFaults, an_export_that_is_damaged_is_named_by_its_line) {
  write_runs(2, 2);
  ASSERT_EQ(run("$history ingest 0.json 1.json --store sqlite:h.db").code, 0);
  ASSERT_EQ(run("$history export all.jsonl --store sqlite:h.db").output,
            "exported: 2 runs, 0 aliases, 0 alerts\n");
  const std::string all = read(folder() / "all.jsonl");
  write("cut.jsonl", all.substr(0, all.size() - 20));
  write("newer.jsonl", std::string("{\"format\": \"ipc-compare history\", \"version\": 2}\n"));
  write("run.jsonl", read(folder() / "0.json"));
  write("empty.jsonl", std::string());
  const std::map<std::string, std::string> reasons{{"cut", "cut.jsonl:3: is no line of an export"},
                                                   {"newer", "newer.jsonl:1: has version 2"},
                                                   {"run", "run.jsonl:1: is no line of an export"},
                                                   {"empty", "empty.jsonl: is empty"},
                                                   {"nowhere", "nowhere.jsonl: cannot be read"}};
  for (const auto& [name, reason] : reasons) {
    const Outcome outcome = run(fmt::format("$history import {}.jsonl --store sqlite:c.db", name));
    EXPECT_EQ(outcome.code, 2) << name;
    EXPECT_THAT(outcome.errors, AllOf(HasSubstr(reason), is_one_line()));
  }
  EXPECT_EQ(run("$history import all.jsonl --store sqlite:c.db").output,
            "imported: 1 runs, 0 aliases, 0 alerts; 1 runs were known\n");
  const Outcome outcome = run("$history export nowhere/all.jsonl --store sqlite:h.db");
  EXPECT_EQ(outcome.code, 5);
  EXPECT_THAT(outcome.errors, AllOf(HasSubstr("cannot be written"), is_one_line()));
}

// Runs `ingest` on files 0.json, 1.json, ... and kills it after a while. Returns what it had said.
std::string ingest_until_killed(const fs::path& folder, const std::string& store, int files,
                                std::chrono::microseconds delay) {
  const std::string said = folder / "said";
  ipc::Process child([&] {
    std::vector<std::string> words{history::program, "history", "ingest", "--store", store};
    for (int i = 0; i < files; ++i) words.push_back(folder / fmt::format("{}.json", i));
    std::vector<char*> argv;
    for (std::string& word : words) argv.push_back(word.data());
    argv.push_back(nullptr);
    if (std::freopen(said.c_str(), "w", stdout) == nullptr) return 126;
    ::execv(argv[0], argv.data());
    return 127;
  });
  std::this_thread::sleep_for(delay);
  child.kill(SIGKILL);
  child.join();
  return read(said);
}

// Kills `ingest` again and again until all runs are stored; each time what it had reported is
// there, and whole. Returns how often it was killed before it was done.
int kill_until_stored(const fs::path& folder, const std::string& store, int files) {
  const std::size_t cells =
      results::record_of(results::read_run_file(folder / "0.json")).cells.size();
  std::mt19937 random(7);
  std::map<std::string, std::string> reported;  // file to run
  int kills = 0;
  for (int longest_ms = 40; kills < 300; longest_ms += longest_ms / 8, ++kills) {
    const std::chrono::microseconds delay(
        std::uniform_int_distribution<int>(0, 1000 * longest_ms)(random));
    std::istringstream said(ingest_until_killed(folder, store, files, delay));
    for (std::string word, file, as, run, id; said >> word >> file >> as >> run >> id;) {
      const auto [entry, is_new] = reported.emplace(fs::path(file).filename(), id);
      EXPECT_EQ(entry->second, id) << "a file changed its run";
    }
    if (reported.empty()) continue;  // the store may not have been made yet
    std::map<std::string, std::string> found;
    for (const StoredRun& run : runs_in(store)) {
      found.emplace(run.source, std::to_string(run.id));
      EXPECT_EQ(static_cast<std::size_t>(run.cells), cells) << "run " << run.id << " by halves";
    }
    for (const auto& report : reported) EXPECT_THAT(found, testing::Contains(report));
    if (reported.size() == static_cast<std::size_t>(files)) return kills;
  }
  ADD_FAILURE() << "was never done";
  return kills;
}

// In one store after the other until three were killed: where the killer comes too late each time,
// a store is done at once.
void kill_three(const fs::path& folder, const std::function<std::string(int)>& store, int files) {
  for (int number = 0, kills = 0; kills < 3; ++number) {
    ASSERT_LT(number, 20) << "was always done before it was killed";
    kills += kill_until_stored(folder, store(number), files);
  }
}

TEST_F(HistoryFaults, what_was_reported_survives_kill_9) {
  constexpr int files = 8;
  write_runs(files, 200);
  const auto store = [&](int number) {
    return fmt::format("sqlite:{}/{}.db", folder().string(), number);
  };
  kill_three(folder(), store, files);
}

TEST_F(HistoryFaults, what_was_reported_survives_kill_9_with_postgresql) {
  if (PostgresServer::programs().empty()) GTEST_SKIP() << "PostgreSQL is not installed";
  const PostgresServer server;
  constexpr int files = 8;
  write_runs(files, 200);
  const auto store = [&](int number) {
    const std::string name = fmt::format("store_{}", number);
    soci::session(soci::postgresql, server.address()) << "create database " << name;
    return server.address(name);
  };
  kill_three(folder(), store, files);
}

TEST_F(HistoryFaults, two_commands_at_once_store_both) {
  write_runs(8, 50);
  const Outcome outcome =
      run("store='--store sqlite:h.db --patience 60';"
          "$history ingest 0.json 1.json 2.json 3.json $store & first=$!;"
          "$history ingest 4.json 5.json 6.json 7.json $store && wait $first");
  EXPECT_EQ(outcome.code, 0) << outcome.errors;
  EXPECT_THAT(runs_in(address()), SizeIs(8));
}

TEST_F(HistoryFaults, a_locked_store_is_waited_for_and_then_named) {
  write_runs(2, 1);
  ASSERT_EQ(run("$history ingest 0.json --store sqlite:h.db").code, 0);
  soci::session other(soci::sqlite3, (folder() / "h.db").string());
  other << "begin immediate";
  const Outcome outcome = run("$history ingest 1.json --store sqlite:h.db --patience 1");
  EXPECT_EQ(outcome.code, 5);
  EXPECT_THAT(outcome.errors, AllOf(HasSubstr("kept it locked for 1 s"), is_one_line()));
  other << "rollback";
  EXPECT_EQ(run("$history ingest 1.json --store sqlite:h.db").code, 0);
  EXPECT_THAT(runs_in(address()), SizeIs(2));
}

TEST_F(HistoryFaults, a_limit_on_the_size_of_files_loses_nothing) {
  write_runs(2, 500);
  ASSERT_EQ(run("$history ingest 0.json --store sqlite:h.db").code, 0);
  // ulimit counts in blocks of 512 bytes.
  const Outcome outcome = run(
      "(trap '' XFSZ; ulimit -f 40; exec $history ingest 1.json --store sqlite:h.db 2>&1) | cat");
  EXPECT_THAT(outcome.output, AllOf(HasSubstr("store sqlite:h.db: the disk does not take"),
                                    is_one_line(), Not(HasSubstr("stored:"))));
  EXPECT_THAT(runs_in(address()), SizeIs(1));
  EXPECT_EQ(run("$history ingest 1.json --store sqlite:h.db").code, 0);
  EXPECT_THAT(runs_in(address()), SizeIs(2));
}

// A small file system of this process's own, which nobody else sees and which ends with it.
// Returns whether this process may make one.
bool mount_small(const fs::path& folder, const std::string& options, unsigned long flags = 0) {
  return ::unshare(CLONE_NEWNS) == 0 &&
         ::mount("none", "/", nullptr, MS_REC | MS_PRIVATE, nullptr) == 0 &&
         ::mount("tmpfs", folder.c_str(), "tmpfs", flags, options.c_str()) == 0;
}

TEST_F(HistoryFaults, a_full_disk_loses_nothing) {
  write_runs(2, 1000);
  const fs::path disk = folder() / "disk";
  fs::create_directory(disk);
  if (!mount_small(disk, "size=1m")) GTEST_SKIP() << "this process may not mount a small disk";
  const std::string store = "sqlite:" + (disk / "h.db").string();
  ASSERT_EQ(run("$history ingest 0.json --store " + store).code, 0);
  const fs::path ballast = disk / "ballast";
  std::ofstream(ballast) << std::string(1 << 20, 'x');  // takes what is left
  const Outcome outcome = run("$history ingest 1.json --store " + store);
  EXPECT_EQ(outcome.code, 5);
  EXPECT_EQ(outcome.output, "");
  EXPECT_THAT(outcome.errors, AllOf(HasSubstr("disk"), is_one_line()));
  fs::remove(ballast);
  EXPECT_THAT(runs_in(store), SizeIs(1));
  EXPECT_EQ(run("$history ingest 1.json --store " + store).code, 0);
  EXPECT_THAT(runs_in(store), SizeIs(2));
  ::umount(disk.c_str());
}

TEST_F(HistoryFaults, a_store_that_may_not_be_written_is_named) {
  write_runs(2, 1);
  const fs::path disk = folder() / "disk";
  fs::create_directory(disk);
  if (!mount_small(disk, "size=1m")) GTEST_SKIP() << "this process may not mount a small disk";
  const std::string store = "sqlite:" + (disk / "h.db").string();
  ASSERT_EQ(run("$history ingest 0.json --store " + store).code, 0);
  ASSERT_EQ(::mount("none", disk.c_str(), nullptr, MS_REMOUNT | MS_RDONLY, nullptr), 0);
  const Outcome outcome = run("$history ingest 1.json --store " + store);
  EXPECT_EQ(outcome.code, 5);
  EXPECT_THAT(outcome.errors, AllOf(HasSubstr("written"), is_one_line()));
  ::umount(disk.c_str());
}

}  // namespace
