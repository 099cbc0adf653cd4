// The key of an environment: what is in it, what is not, and how two of them are told apart.
#include "results/environment_key.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "results/measure/machine.hpp"

namespace {

using results::differences;
using results::environment_key;
using results::EnvironmentKey;
using results::Json;
using ::testing::ElementsAre;
using ::testing::IsEmpty;
using ::testing::IsSupersetOf;
using ::testing::Not;
using ::testing::Pair;

Json about() {
  return Json::parse(R"({
    "started": "2026-01-02T03:04:05Z",
    "machine": {
      "id": "made-up-2cpu-kvm", "cpu": "Made Up 3000", "cpus": 2, "cores": 2, "smt": 0,
      "virtualization": "kvm", "kernel": "Linux 6.1.0-25-amd64", "memory_bytes": 8589934592,
      "governor": null, "turbo": false, "aslr": 2, "cpu_quota": 1.5,
      "caches": [{"level": 1, "size": "32K"}, {"level": 2, "size": "1024K"}],
      "mitigations": {"spectre_v2": "Mitigation: Retpolines; STIBP: disabled",
                      "spec_store_bypass": "Vulnerable"}},
    "build": {"compiler": "GNU 12.2.0", "type": "Release", "flags": "-O3", "commit": "0123456789ab",
              "libraries": {"boost": "1.81.0", "benchmark": "1.7.1", "fmt": "9.1.0",
                            "glibc": "2.36"}}})");
}

Json about_with(const char* pointer, const Json& value) {
  Json changed = about();
  changed[Json::json_pointer(pointer)] = value;
  return changed;
}

TEST(EnvironmentKey, holds_machine_and_toolchain_in_buckets) {
  EXPECT_THAT(
      environment_key(about()).fields,
      IsSupersetOf({Pair("cpu", "Made Up 3000"), Pair("cpus", "2"), Pair("virtualization", "kvm"),
                    Pair("kernel", "Linux 6.1"), Pair("turbo", "false"), Pair("aslr", "2"),
                    Pair("cpu_quota", "1.5"), Pair("caches", "32K, 1024K"),
                    Pair("mitigation spectre_v2", "Mitigation: Retpolines"),
                    Pair("mitigation spec_store_bypass", "Vulnerable"),
                    Pair("compiler", "GNU 12.2.0"), Pair("build type", "Release"),
                    Pair("boost", "1.81.0"), Pair("benchmark", "1.7.1"), Pair("glibc", "2.36")}));
}

TEST(EnvironmentKey, does_not_hold_what_is_not_told) {
  EXPECT_EQ(environment_key(about()).fields.count("governor"), 0U);
  EXPECT_THAT(environment_key(Json::object()).fields, IsEmpty());
  EXPECT_THAT(environment_key(nullptr).fields, IsEmpty());
  EXPECT_THAT(environment_key(Json::parse(R"({"machine": 3, "build": [1]})")).fields, IsEmpty());
  EXPECT_THAT(environment_key(Json::parse(R"({"machine": {"caches": 3, "cpu": {"a": 1},
                                             "mitigations": {"x": 4}}})"))
                  .fields,
              IsEmpty());
}

// What a restart, a patch of the kernel or a commit changes is no other environment.
TEST(EnvironmentKey, stays_over_restarts_and_commits) {
  const EnvironmentKey key = environment_key(about());
  for (const auto& [pointer, value] : std::vector<std::pair<const char*, Json>>{
           {"/started", "2027-01-01T00:00:00Z"},
           {"/machine/kernel", "Linux 6.1.0-31-amd64"},
           {"/machine/memory_bytes", 8589934000},
           {"/machine/mitigations/spectre_v2", "Mitigation: Retpolines; STIBP: forced"},
           {"/build/commit", "ba9876543210"},
           {"/build/libraries/fmt", "10.0.0"}}) {
    EXPECT_EQ(environment_key(about_with(pointer, value)), key) << pointer;
    EXPECT_EQ(environment_key(about_with(pointer, value)).hash(), key.hash()) << pointer;
  }
}

TEST(EnvironmentKey, names_each_field_that_differs) {
  const EnvironmentKey key = environment_key(about());
  EXPECT_THAT(differences(key, key), IsEmpty());
  const auto against = [&](const char* pointer, const Json& value) {
    const EnvironmentKey other = environment_key(about_with(pointer, value));
    EXPECT_NE(other.hash(), key.hash()) << pointer;
    return differences(key, other);
  };
  EXPECT_THAT(against("/machine/cpus", 4), ElementsAre("cpus: 2 and 4"));
  EXPECT_THAT(against("/machine/kernel", "Linux 6.10.1"),
              ElementsAre("kernel: Linux 6.1 and Linux 6.10"));
  EXPECT_THAT(against("/machine/governor", "performance"),
              ElementsAre("governor: not told and performance"));
  EXPECT_THAT(against("/machine/cpu_quota", nullptr), ElementsAre("cpu_quota: 1.5 and not told"));
  EXPECT_THAT(against("/build/flags", "-O2"),
              ElementsAre(testing::MatchesRegex("flags: [0-9a-f]{16} and [0-9a-f]{16}")));
}

// Runs of other days are stored under this hash: it may not change by accident.
TEST(EnvironmentKey, has_a_hash_that_is_the_same_in_every_build) {
  EXPECT_EQ((EnvironmentKey{.fields = {{"cpu", "Made Up 3000"}, {"cpus", "2"}}}.hash()),
            "c44b589de3bcf5ea");
  EXPECT_EQ(EnvironmentKey{}.hash(), "cbf29ce484222325") << "of no text, by definition";
}

TEST(EnvironmentKey, of_this_machine_is_told_alike_each_time) {
  const auto here = [] {
    return environment_key({{"machine", results::machine()}, {"build", results::build()}});
  };
  EXPECT_THAT(differences(here(), here()), IsEmpty());
  for (const char* field : {"cpu", "cpus", "kernel", "aslr", "compiler", "glibc", "benchmark"}) {
    EXPECT_EQ(here().fields.count(field), 1U) << field;
  }
  EXPECT_THAT(here().text(), Not(testing::HasSubstr("MHz")));
}

}  // namespace
