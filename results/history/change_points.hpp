// Where the level of one series changes, as two methods agree and a third confirms.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

namespace results {

struct ChangePoint {
  std::size_t position;  // the first value at the new level
  double p;              // of the rank scan around it; as neighbouring changes were chosen from the
                         // same values, chance gives small ones more often where there are some
};

// Where both E-divisive and ED-PELT find a change, at most two values apart; ascending. They look
// at windows of `window` values, each half of one on from the last: what was found in a window does
// not depend on what came after it, and the time grows with the number of values, not its square.
std::vector<std::size_t> agreed_change_points(std::span<const double> values, std::size_t window,
                                              std::uint64_t seed);

// Those of `candidates` that the rank scan finds too, with a probability of at most `significance`
// without a change, among the values from the change before to the change after, `window` at most
// on either side. The least sure is left out first, and its neighbours are then judged anew.
// `inflation` is by how much autocorrelation stretches rank sums; 1 when runs are independent.
std::vector<ChangePoint> confirmed_change_points(std::span<const double> values,
                                                 std::vector<std::size_t> candidates,
                                                 std::size_t window, double significance,
                                                 double inflation);

}  // namespace results
