// Which blocks are thrown out, and the controls that tell.
#include "results/compare/disturbance.hpp"

#include <string>
#include <vector>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace {

using results::Controls;
using results::disturbances;
using results::MachineLoad;
using results::Watch;
using ::testing::AllOf;
using ::testing::Each;
using ::testing::Gt;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::SizeIs;

// Quiet blocks whose controls differ by a few percent.
std::vector<Watch> quiet(int blocks) {
  std::vector<Watch> watches;
  for (int i = 0; i < blocks; ++i) {
    const double noise = 1 + 0.01 * (i % 4);
    watches.push_back({.controls = {.ns = {100 * noise, 200 * noise, 50 / noise, 5000 * noise}}});
  }
  return watches;
}

TEST(Disturbances, of_quiet_blocks_are_none) {
  EXPECT_THAT(disturbances(quiet(12)), AllOf(SizeIs(12), Each(IsEmpty())));
}

TEST(Disturbances, a_control_that_is_slow_is_one_and_is_named) {
  for (std::size_t control = 0; control < Controls::names.size(); ++control) {
    auto blocks = quiet(12);
    blocks[7].controls.ns[control] *= 1.7;
    const auto reasons = disturbances(blocks);
    EXPECT_THAT(reasons[7], HasSubstr(std::string(Controls::names[control])));
    EXPECT_EQ(std::count(reasons.begin(), reasons.end(), std::string()), 11);
  }
}

TEST(Disturbances, a_control_that_is_usually_that_slow_is_none) {
  auto blocks = quiet(12);
  for (std::size_t i = 0; i < blocks.size(); i += 2) blocks[i].controls.ns[0] *= 1.7;
  EXPECT_THAT(disturbances(blocks), Each(IsEmpty()));
}

TEST(Disturbances, four_blocks_do_not_tell_what_is_usual) {
  auto blocks = quiet(4);
  blocks[2].controls.ns[0] *= 3;
  EXPECT_THAT(disturbances(blocks), Each(IsEmpty()));
}

TEST(Disturbances, stolen_and_throttled_time_are) {
  auto blocks = quiet(2);
  blocks[0].steal_share = 0.06;
  blocks[1].throttled_s = 0.02;
  const auto reasons = disturbances(blocks);
  EXPECT_THAT(reasons[0], HasSubstr("hypervisor took 6 %"));
  EXPECT_THAT(reasons[1], HasSubstr("20 ms"));
}

TEST(Disturbances, steal_is_a_share_of_the_time_between) {
  const MachineLoad before{.cpu_s = 100, .steal_s = 1, .throttled_s = 0.5};
  const MachineLoad after{.cpu_s = 110, .steal_s = 2, .throttled_s = 0.75};
  const Watch watch = watched(before, after, {});
  EXPECT_DOUBLE_EQ(watch.steal_share, 0.1);
  EXPECT_DOUBLE_EQ(watch.throttled_s, 0.25);
}

TEST(Controls, take_some_time_each) {
  EXPECT_THAT(results::measure_controls().ns, Each(Gt(0)));
  EXPECT_GT(MachineLoad::now().cpu_s, 0);
}

}  // namespace
