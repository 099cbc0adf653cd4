// Run files and the names in them: what is read, and what is refused with which words.
#include "results/run_file.hpp"

#include <cmath>
#include <filesystem>
#include <fstream>
#include <functional>
#include <string>

#include <fmt/format.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "results/failure.hpp"
#include "results/measure/machine.hpp"
#include "results/name.hpp"
#include "tests/scratch.hpp"

namespace {

namespace fs = std::filesystem;
using results::Exit;
using results::Failure;
using results::Json;
using results::Name;
using results::parse_name;
using ::testing::AllOf;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::Pair;

TEST(Name, is_a_scenario_and_its_keys) {
  const Name name = parse_name("round_trip/channel:spsc_ring<spin>/cpus:cross/bytes:64");
  EXPECT_EQ(name.scenario, "round_trip");
  EXPECT_THAT(name.keys, ElementsAre(Pair("channel", "spsc_ring<spin>"), Pair("cpus", "cross"),
                                     Pair("bytes", "64")));
  EXPECT_EQ(name.value("bytes"), "64");
  EXPECT_EQ(name.value("peer"), "");
  EXPECT_EQ(name.text(), "round_trip/channel:spsc_ring<spin>/cpus:cross/bytes:64");
}

TEST(Name, leaves_out_how_it_was_measured) {
  EXPECT_EQ(parse_name("floor/what:fork/iterations:10/manual_time").text(), "floor/what:fork");
  EXPECT_EQ(parse_name("floor/what:fork/min_time:0.100/repeats:3/real_time").text(),
            "floor/what:fork");
}

TEST(Name, keeps_rows_of_other_projects_apart) {
  EXPECT_NE(parse_name("BM_Copy/8/64"), parse_name("BM_Copy/8/65"));
  EXPECT_EQ(parse_name("BM_Copy/8/threads:2").text(), "BM_Copy/8/threads:2");
}

TEST(Name, with_another_value_is_another_name) {
  const Name name = parse_name("a/k:1");
  EXPECT_EQ(name.with("k", "2").text(), "a/k:2");
  EXPECT_EQ(name.with("new", "3").text(), "a/k:1/new:3");
}

Json entry(const std::string& name, int launch, double time) {
  return {{"name", name},     {"run_type", "iteration"}, {"real_time", time},
          {"cpu_time", time}, {"time_unit", "us"},       {"iterations", 1},
          {"batch", 32.0},    {"binary", "a"},           {"launch", launch}};
}

Json document() {
  return {{"context",
           {{"ipc_compare", {{"schema", 1}, {"size", "quick"}, {"machine", {{"id", "m"}}}}}}},
          {"benchmarks", Json::array({entry("a/k:1", 0, 2), entry("a/k:1", 1, 4)})}};
}

class RunFile : public testing::Test {
 protected:
  fs::path write(const std::string& text, const std::string& name = "run.json") {
    const fs::path file = scratch.path() / name;
    std::ofstream(file) << text;
    return file;
  }
  fs::path write_json(const Json& json) { return write(json.dump()); }

  // The words with which a file is refused.
  static std::string refusal(const fs::path& file) {
    try {
      results::read_run_file(file);
    } catch (const Failure& failure) {
      EXPECT_EQ(failure.exit(), Exit::usage);
      const std::string words = failure.what();
      EXPECT_THAT(words, AllOf(HasSubstr(file.string()), testing::Not(HasSubstr("\n"))));
      return words;
    }
    return "was accepted";
  }
  std::string refusal_after(const std::function<void(Json&)>& change) {
    Json json = document();
    change(json);
    return refusal(write_json(json));
  }

  Scratch scratch;
};

TEST_F(RunFile, gives_rows_in_base_units) {
  const results::Run run = results::read_run_file(write_json(document()));
  ASSERT_EQ(run.rows.size(), 2U);
  EXPECT_EQ(run.rows[1].name.text(), "a/k:1");
  EXPECT_EQ(run.rows[1].launch, 1);
  EXPECT_THAT(run.rows[1].figures, ElementsAre(Pair("batch", 32), Pair("cpu_time_ns", 4000),
                                               Pair("real_time_ns", 4000)));
  EXPECT_EQ(run.text("/machine/id"), "m");
}

TEST_F(RunFile, keeps_rows_with_errors_out_of_the_figures) {
  Json json = document();
  json["benchmarks"][1]["error_occurred"] = true;
  json["benchmarks"][1]["error_message"] = "a message was lost";
  const results::Run run = results::read_run_file(write_json(json));
  EXPECT_EQ(run.rows.size(), 1U);
  EXPECT_THAT(run.failed, ElementsAre("a/k:1: a message was lost"));
}

TEST_F(RunFile, is_refused_with_its_place) {
  EXPECT_THAT(refusal(scratch.path() / "none.json"), HasSubstr("there is no such file"));
  EXPECT_THAT(refusal(scratch.path()), HasSubstr("cannot be read"));
  EXPECT_THAT(refusal(write("")), HasSubstr("is empty"));
  const std::string whole = document().dump(1);
  EXPECT_THAT(refusal(write(whole.substr(0, whole.size() / 2))), HasSubstr("line "));
  EXPECT_THAT(refusal(write(R"({"benchmarks": [{"real_time": NaN}]})")), HasSubstr("line 1"));
  EXPECT_THAT(refusal(write("[]")), HasSubstr("context.ipc_compare"));
  EXPECT_THAT(refusal(write(R"({"context": {}, "benchmarks": []})")),
              HasSubstr("context.ipc_compare"));
  EXPECT_THAT(refusal_after([](Json& json) { json["context"]["ipc_compare"]["schema"] = 2; }),
              HasSubstr("schema: is 2, this program reads 1"));
  EXPECT_THAT(refusal_after([](Json& json) { json["benchmarks"] = Json::array(); }),
              HasSubstr("holds no row"));
  EXPECT_THAT(refusal_after([](Json& json) { json["benchmarks"][1] = 3; }),
              HasSubstr("benchmarks[1]"));
  EXPECT_THAT(refusal_after([](Json& json) { json["benchmarks"][1]["name"] = 3; }),
              HasSubstr("benchmarks[1].name: is not a text"));
  EXPECT_THAT(refusal_after([](Json& json) { json["benchmarks"][1]["real_time"] = "1"; }),
              HasSubstr("benchmarks[1].real_time: is not a number"));
  EXPECT_THAT(refusal_after([](Json& json) { json["benchmarks"][1]["real_time"] = -1; }),
              HasSubstr("benchmarks[1].real_time"));
  EXPECT_THAT(refusal_after([](Json& json) { json["benchmarks"][1]["batch"] = std::nan(""); }),
              HasSubstr("benchmarks[1].batch: is null"));
  EXPECT_THAT(refusal_after([](Json& json) { json["benchmarks"][1]["time_unit"] = "h"; }),
              HasSubstr("benchmarks[1].time_unit"));
  EXPECT_THAT(refusal_after([](Json& json) { json["benchmarks"][1].erase("launch"); }),
              HasSubstr("benchmarks[1].launch"));
}

TEST_F(RunFile, joins_launches_of_one_machine_and_refuses_others) {
  const results::Run run = results::read_run_file(write_json(document()));
  const results::Run both = results::join({run, run});
  ASSERT_EQ(both.rows.size(), 4U);
  EXPECT_EQ(both.rows[3].launch, 3);

  Json json = document();
  json["context"]["ipc_compare"]["machine"]["id"] = "another";
  const results::Run other = results::read_run_file(write_json(json));
  EXPECT_THROW(results::join({run, other}), Failure);
}

TEST_F(RunFile, is_replaced_in_one_step_and_leaves_nothing_beside_it) {
  const fs::path deep = scratch.path() / "a/b/run.json";
  results::write_atomically(deep, "first");
  results::write_atomically(deep, "second");
  results::require_writable(deep.parent_path() / "other.json");
  EXPECT_EQ(read(deep), "second");
  EXPECT_THAT(scratch.names("a/b"), ElementsAre("run.json"));
  EXPECT_THROW(results::write_atomically(deep / "under/a/file", "text"), Failure);
}

// Google Benchmark's layout: entries are indented by four blanks.
constexpr const char* cut_off = R"({
  "context": {
    "num_cpus": 2
  },
  "benchmarks": [
    {
      "name": "a/k:1",
      "real_time": 1
    },
    {
      "name": "a/k:2",
      "real)";

TEST(Entries, of_a_document_that_was_cut_off_are_the_complete_ones) {
  const results::Entries entries = results::read_entries(cut_off);
  EXPECT_FALSE(entries.complete);
  EXPECT_THAT(entries.problem, HasSubstr("line 12"));
  ASSERT_EQ(entries.rows.size(), 1U);
  EXPECT_EQ(entries.rows[0]["name"], "a/k:1");
  EXPECT_EQ(entries.context["num_cpus"], 2);
}

TEST(Entries, of_something_else_are_none) {
  for (const char* text : {"", "not JSON", "[1]", "{}", R"({"benchmarks": 3})"}) {
    const results::Entries entries = results::read_entries(text);
    EXPECT_FALSE(entries.complete) << text;
    EXPECT_THAT(entries.rows, IsEmpty()) << text;
    EXPECT_NE(entries.problem, "") << text;
  }
}

TEST(MachineId, names_the_kind_of_machine) {
  EXPECT_EQ(results::machine_id("AMD EPYC", 2, "kvm"), "amd-epyc-2cpu-kvm");
  EXPECT_EQ(results::machine_id("Intel(R) Xeon(R) Platinum 8375C CPU @ 2.90GHz", 64, ""),
            "intel-xeon-platinum-8375c-64cpu");
  EXPECT_EQ(results::machine_id("AMD Ryzen 7 5800X 8-Core Processor", 16, ""),
            "amd-ryzen-7-5800x-16cpu");
  EXPECT_EQ(results::machine_id("aarch64", 4, "vm"), "aarch64-4cpu-vm");
}

TEST(CpuList, is_as_the_kernel_writes_it) {
  EXPECT_EQ(results::cpu_list({0, 1, 2, 5, 7, 8}), "0-2,5,7-8");
  EXPECT_EQ(results::cpu_list({3}), "3");
  EXPECT_EQ(results::cpu_list({}), "");
}

}  // namespace
