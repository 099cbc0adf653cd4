// Tables from run files: which cells meet which rows, and how they are written.
#include "results/publish/publish.hpp"

#include <algorithm>
#include <filesystem>
#include <fstream>
#include <set>
#include <sstream>
#include <string>
#include <vector>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "results/failure.hpp"
#include "results/publish/findings.hpp"
#include "results/publish/render.hpp"
#include "results/publish/table.hpp"
#include "tests/scratch.hpp"

namespace {

namespace fs = std::filesystem;
using results::Catalog;
using results::Figure;
using results::Json;
using results::Keys;
using results::Measurements;
using results::Row;
using results::Run;
using results::Table;
using results::TableSpec;
using results::Unit;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::Not;
using ::testing::SizeIs;

const fs::path golden = fs::path(PROJECT_SOURCE_DIR) / "tests/golden";

constexpr Figure time{.name = "real_time_ns", .unit = Unit::nanoseconds};

// A run of launches whose figures are what is asked for.
class Made {
 public:
  Made& row(const std::string& name, const std::vector<double>& per_launch) {
    for (std::size_t launch = 0; launch < per_launch.size(); ++launch) {
      run_.rows.push_back({.name = results::parse_name(name),
                           .launch = static_cast<int>(launch),
                           .figures = {{"real_time_ns", per_launch[launch]}}});
    }
    return *this;
  }
  // One launch that says something in words, and has no figure beside its time.
  Made& said(const std::string& name, int launch, const std::string& label) {
    run_.rows.push_back({.name = results::parse_name(name),
                         .launch = launch,
                         .figures = {{"real_time_ns", 1}},
                         .label = label});
    return *this;
  }
  Made& catalog(const Json& catalog) {
    run_.about["catalog"] = catalog;
    return *this;
  }
  [[nodiscard]] std::vector<Table> fill(const TableSpec& spec) const {
    return results::fill(spec, Measurements(run_), Catalog(run_.about));
  }

 private:
  Run run_{.file = "made", .about = Json::object(), .rows = {}, .failed = {}};
};

// Lives as long as every table made from it.
const TableSpec by_size{.id = "t",
                        .title = "T",
                        .question = "",
                        .timed = "",
                        .scenario = "s",
                        .rows = {"channel"},
                        .columns = {{.heading = "", .figure = time, .spread = "bytes"}}};

std::vector<std::string> texts(const Table& table, std::size_t line) {
  std::vector<std::string> texts;
  for (std::size_t i = 0; i < table.heads.size(); ++i) {
    texts.push_back(results::cell_text(table, table.heads[i], table.lines[line].cells[i]));
  }
  return texts;
}

std::vector<std::string> heads(const Table& table) {
  std::vector<std::string> texts;
  for (const auto& head : table.heads) texts.push_back(head.text);
  return texts;
}

TEST(Table, has_the_median_of_launches_and_numeric_columns_in_order) {
  const auto tables = Made()
                          .row("s/channel:a/bytes:1024", {20, 30, 10})
                          .row("s/channel:a/bytes:64", {5, 5, 5})
                          .fill(by_size);
  ASSERT_THAT(tables, SizeIs(1));
  EXPECT_THAT(heads(tables[0]), ElementsAre("64 B", "1 KiB"));
  EXPECT_THAT(texts(tables[0], 0), ElementsAre("5.00 ±0 %", "20 ±50 %"));
}

TEST(Table, takes_the_median_of_repetitions_within_a_launch_first) {
  const auto tables = Made()
                          .row("s/channel:a/bytes:1", {10, 20})
                          .row("s/channel:a/bytes:1", {12, 20})
                          .row("s/channel:a/bytes:1", {900, 20})
                          .fill(by_size);
  EXPECT_THAT(texts(tables[0], 0), ElementsAre("16 ±25 %"));
}

TEST(Table, splits_where_rows_differ_in_a_key_that_it_does_not_bind) {
  const auto tables = Made()
                          .row("s/channel:a/peer:process/bytes:1", {1})
                          .row("s/channel:a/peer:thread/bytes:1", {2})
                          .fill(by_size);
  ASSERT_THAT(tables, SizeIs(2));
  EXPECT_EQ(tables[0].part, "Between processes");
  EXPECT_THAT(texts(tables[0], 0), ElementsAre("1.00"));
  EXPECT_EQ(tables[1].part, "Between threads");
  EXPECT_THAT(texts(tables[1], 0), ElementsAre("2.00"));
}

TEST(Table, has_lines_in_the_order_of_the_catalog_and_marks_who_spins) {
  const Json catalog = {
      {"channels",
       {{{"name", "first"}, {"spins", false}}, {{"name", "second<spin>"}, {"spins", true}}}}};
  const auto tables = Made()
                          .row("s/channel:unknown/bytes:1", {1})
                          .row("s/channel:second<spin>/bytes:1", {1})
                          .row("s/channel:owner_second<spin>/bytes:1", {1})
                          .row("s/channel:first/bytes:1", {1})
                          .catalog(catalog)
                          .fill(by_size);
  ASSERT_THAT(tables[0].lines, SizeIs(4));
  EXPECT_THAT(tables[0].lines[0].labels, ElementsAre("first"));
  EXPECT_FALSE(tables[0].lines[0].spins);
  EXPECT_THAT(tables[0].lines[1].labels, ElementsAre("second<spin>"));
  EXPECT_TRUE(tables[0].lines[1].spins);
  EXPECT_THAT(tables[0].lines[2].labels, ElementsAre("unknown"));
  EXPECT_TRUE(tables[0].lines[3].spins);
}

TEST(Table, says_why_a_cell_is_empty) {
  const Json catalog = {
      {"absent", {{{"rows", "s/channel:(a|x)/.*bytes:64"}, {"reason", "it is too long"}}}}};
  const auto tables = Made()
                          .row("s/channel:a/bytes:1", {1, 1})
                          .row("s/channel:b/bytes:1", {1, 1})
                          .row("s/channel:c/bytes:1", {1})
                          .row("s/channel:c/bytes:64", {1, 1})
                          .row("s/channel:d/bytes:64", {1, 1})
                          .catalog(catalog)
                          .fill(by_size);
  ASSERT_THAT(tables, SizeIs(1));
  EXPECT_THAT(texts(tables[0], 0), ElementsAre("1.00 ±0 %", "–"));
  ASSERT_THAT(tables[0].notes, SizeIs(3));
  EXPECT_EQ(tables[0].notes[0].text, "– it is too long");
  EXPECT_THAT(tables[0].notes[0].about, ElementsAre("a"));
  EXPECT_EQ(tables[0].notes[1].text, "– not measured in this run");
  EXPECT_THAT(tables[0].notes[1].about, ElementsAre("b", "d"));
  EXPECT_EQ(tables[0].notes[2].text, "Measured by fewer than 2 launches");
  EXPECT_THAT(tables[0].notes[2].about, ElementsAre("c"));
}

TEST(Table, leaves_out_columns_that_few_have) {
  const auto tables = Made()
                          .row("s/channel:a/bytes:1", {1})
                          .row("s/channel:b/bytes:1", {1})
                          .row("s/channel:c/bytes:1", {1})
                          .row("s/channel:c/bytes:48", {1})
                          .fill(by_size);
  EXPECT_THAT(heads(tables[0]), ElementsAre("1 B"));
}

TEST(Table, divides_by_the_row_that_a_column_is_relative_to) {
  TableSpec spec = by_size;
  spec.columns = {
      {.heading = "× loop",
       .figure = time,
       .relative_to = results::Reference{
           .scenario = "floor", .keys = {{"what", "{channel}_loop"}}, .same = {"peer", "bytes"}}}};
  const auto tables = Made()
                          .row("s/channel:a/peer:process", {30})
                          .row("s/channel:b/peer:process", {30})
                          .row("floor/what:a_loop/peer:thread", {3})
                          .row("floor/what:a_loop/peer:process", {20})
                          .fill(spec);
  ASSERT_THAT(tables, SizeIs(1));
  ASSERT_THAT(tables[0].lines, SizeIs(1)) << "b has no loop, and so nothing to say";
  EXPECT_THAT(texts(tables[0], 0), ElementsAre("1.50"));
}

TEST(Table, has_words_where_figures_do_not_say_it) {
  TableSpec spec = by_size;
  spec.columns = {
      {.heading = "end", .figure = {.name = "label", .unit = Unit::words}},
      {.heading = "after", .figure = {.name = "known_ns_p50", .unit = Unit::nanoseconds}}};
  const auto tables = Made()
                          .said("s/channel:a", 0, "told")
                          .said("s/channel:a", 1, "told")
                          .said("s/channel:b", 0, "told")
                          .said("s/channel:b", 1, "lost|late")
                          .fill(spec);
  ASSERT_THAT(tables, SizeIs(1));
  EXPECT_THAT(heads(tables[0]), ElementsAre("end")) << "nobody knows after how long";
  EXPECT_THAT(texts(tables[0], 0), ElementsAre("told"));
  EXPECT_THAT(texts(tables[0], 1), ElementsAre("told or lost|late"));
  EXPECT_THAT(results::markdown(tables[0]), HasSubstr("told or lost\\|late"));
  EXPECT_THAT(results::csv(tables), HasSubstr("s/channel:b,end,label,,,,,,,told or lost|late\n"));
}

TEST(Table, takes_rows_of_several_values) {
  TableSpec spec = by_size;
  spec.where = {{"task", "a|b"}};
  spec.rows = {"channel", "task"};
  const auto tables = Made()
                          .row("s/channel:x/task:a/bytes:1", {1})
                          .row("s/channel:x/task:ab/bytes:1", {2})
                          .row("s/channel:x/task:b/bytes:1", {3})
                          .fill(spec);
  ASSERT_THAT(tables, SizeIs(1));
  ASSERT_THAT(tables[0].lines, SizeIs(2));
  EXPECT_THAT(texts(tables[0], 0), ElementsAre("1.00"));
  EXPECT_THAT(texts(tables[0], 1), ElementsAre("3.00"));
}

TEST(Table, writes_memory_in_binary_units) {
  TableSpec spec = by_size;
  spec.columns = {{.heading = "", .figure = {.name = "real_time_ns", .unit = Unit::bytes}}};
  const auto tables = Made().row("s/channel:x", {300 * 1024}).fill(spec);
  ASSERT_THAT(tables, SizeIs(1));
  EXPECT_THAT(texts(tables[0], 0), ElementsAre("300"));
  EXPECT_EQ(tables[0].heads[0].scale.symbol, "KiB");
}

TEST(Table, is_absent_without_rows) {
  EXPECT_THAT(Made().row("other/channel:a/bytes:1", {1}).fill(by_size), IsEmpty());
}

TEST(Tables, have_ids_of_their_own_and_fit_a_page) {
  std::set<std::string_view> ids;
  for (const TableSpec& spec : results::tables()) {
    EXPECT_TRUE(ids.insert(spec.id).second) << spec.id;
    EXPECT_FALSE(spec.question.empty()) << spec.id;
    EXPECT_FALSE(spec.timed.empty()) << spec.id;
  }
}

TEST(Markdown, takes_special_characters_literally) {
  EXPECT_EQ(results::markdown_text("a|b <c> *d* _e_ f_g"), "a\\|b \\<c\\> \\*d\\* \\_e\\_ f_g");
  EXPECT_EQ(results::markdown_text("two\nlines"), "two lines");
  EXPECT_EQ(results::markdown_code("ring<spin>|x"), "`ring<spin>\\|x`");
  EXPECT_EQ(results::markdown_code("a`b"), "`` a`b ``");
}

TEST(Csv, quotes_what_would_end_a_field) {
  EXPECT_EQ(results::csv_field("plain"), "plain");
  EXPECT_EQ(results::csv_field("a,\"b\"\n"), "\"a,\"\"b\"\"\n\"");
}

TEST(Findings, need_the_rows_that_they_speak_of) {
  const results::Run none{.file = "", .about = Json::object(), .rows = {}, .failed = {}};
  EXPECT_THAT(results::findings(Measurements(none)), IsEmpty());
}

// Whether a mechanism slept is what was counted, whatever its kind is said to do.
TEST(Findings, tell_sleepers_from_spinners_by_their_switches) {
  results::Run run{.file = "", .about = Json::object(), .rows = {}, .failed = {}};
  const auto add = [&](const char* channel, double time, double switches) {
    run.rows.push_back(
        {.name = results::parse_name(std::string("round_trip/channel:") + channel +
                                     "/peer:process/cpus:cross/bytes:64"),
         .launch = 0,
         .figures = {{"latency_ns_p50", time}, {"switches_voluntary_per_message", switches}}});
  };
  add("adaptive", 200, 0.01);
  add("blocking", 5000, 1);
  const auto found = results::findings(Measurements(run));
  ASSERT_THAT(found, SizeIs(1));
  EXPECT_THAT(found[0].says, HasSubstr("5.00 µs (`blocking`) with a peer that sleeps"));
  EXPECT_THAT(found[0].says, HasSubstr("200 ns (`adaptive`) with one that keeps its CPU busy"));
}

TEST(Findings, compare_pools_with_those_of_python) {
  results::Run run{.file = "", .about = Json::object(), .rows = {}, .failed = {}};
  const auto add = [&](const char* pool, const char* chunk, double tasks_per_second) {
    const std::string keys = std::string("/task:empty/chunk:") + chunk + "/workers:2";
    run.rows.push_back({.name = results::parse_name(std::string("pool_map/pool:") + pool + keys),
                        .launch = 0,
                        .figures = {{"tasks_per_second", tasks_per_second}}});
  };
  add("thread_futex", "1", 4e6);
  add("process_pipe", "1", 1e6);
  add("process_pipe", "auto", 5e7);
  auto found = results::findings(Measurements(run));
  ASSERT_THAT(found, SizeIs(1));
  EXPECT_THAT(found[0].says, Not(HasSubstr("Python")));
  add("python_multiprocessing_pool", "1", 5e4);
  add("python_multiprocessing_pool", "auto", 1e7);
  found = results::findings(Measurements(run));
  ASSERT_THAT(found, SizeIs(1));
  EXPECT_THAT(found[0].says, HasSubstr("20 × as many as Python's `multiprocessing.Pool`"));
  EXPECT_THAT(found[0].says, HasSubstr("5.00 × in chunks"));
}

// Same input, same bytes. After a wanted change:
// ipc-compare publish tests/golden/run.json --out tests/golden/published
TEST(Publish, writes_what_is_kept_as_golden) {
  Scratch scratch;
  results::publish({.files = {golden / "run.json"}, .out = scratch.path()});
  std::set<std::string> expected;
  for (const auto& entry : fs::directory_iterator(golden / "published")) {
    const std::string name = entry.path().filename().string();
    expected.insert(name);
    EXPECT_EQ(read(scratch.path() / name), read(entry.path())) << name;
  }
  const auto written = scratch.names();
  EXPECT_EQ(std::set<std::string>(written.begin(), written.end()), expected);
}

TEST(Publish, writes_the_formats_that_were_asked_for) {
  Scratch scratch;
  results::publish({.files = {golden / "run.json"}, .out = scratch.path(), .csv = false});
  EXPECT_THAT(scratch.names(), ElementsAre("README.md"));
  EXPECT_THAT(read(scratch.path() / "README.md"), Not(HasSubstr(".csv")));
}

TEST(Publish, says_how_many_rounds_fitted) {
  Scratch scratch;
  Json run = Json::parse(read(golden / "run.json"));
  run["context"]["ipc_compare"]["rounds"] = 2;
  run["context"]["ipc_compare"]["rounds_wanted"] = 5;
  std::ofstream(scratch.path() / "run.json") << run;
  results::publish({.files = {scratch.path() / "run.json"}, .out = scratch.path()});
  EXPECT_THAT(read(scratch.path() / "README.md"), HasSubstr("2 of 5 rounds fitted"));
}

TEST(Publish, refuses_the_same_file_twice) {
  Scratch scratch;
  fs::create_symlink(golden / "run.json", scratch.path() / "link.json");
  try {
    results::publish({.files = {golden / "run.json", scratch.path() / "link.json"},
                      .out = scratch.path() / "out"});
    ADD_FAILURE() << "was accepted";
  } catch (const results::Failure& failure) {
    EXPECT_EQ(failure.exit(), results::Exit::usage);
    EXPECT_THAT(failure.what(), HasSubstr("are the same file"));
  }
  EXPECT_FALSE(fs::exists(scratch.path() / "out"));
}

TEST(Publish, has_at_most_eight_columns) {
  std::istringstream page(read(golden / "published/README.md"));
  for (std::string line; std::getline(page, line);) {
    if (!line.starts_with("|-")) continue;
    EXPECT_LE(std::count(line.begin(), line.end(), '|'), 9) << line;
  }
}

TEST(Summary, fits_a_terminal) {
  testing::internal::CaptureStdout();
  results::summary({.files = {golden / "run.json"}});
  std::istringstream text(testing::internal::GetCapturedStdout());
  int lines = 0;
  for (std::string line; std::getline(text, line); ++lines) {
    const auto width =
        std::count_if(line.begin(), line.end(), [](char c) { return (c & 0xC0) != 0x80; });
    EXPECT_LE(width, 100) << line;
  }
  EXPECT_GT(lines, 10);
  EXPECT_LT(lines, 30);
}

}  // namespace
