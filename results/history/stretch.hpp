// Runs of a series that may be compared.
#pragma once

#include <cstddef>
#include <span>
#include <vector>

#include "results/history/scan.hpp"

namespace results {

// Consecutive points with the same segment.
struct Stretch {
  std::size_t first;
  std::size_t end;
};

inline std::vector<Stretch> stretches(const std::vector<Point>& points) {
  std::vector<Stretch> found;
  for (std::size_t i = 0; i < points.size(); ++i) {
    if (i == 0 || points[i].segment != points[i - 1].segment) found.push_back({i, i});
    found.back().end = i + 1;
  }
  return found;
}

// The values of points [first, end).
inline std::vector<double> values_of(const std::vector<Point>& points, const Stretch& stretch) {
  std::vector<double> values;
  values.reserve(stretch.end - stretch.first);
  for (std::size_t i = stretch.first; i < stretch.end; ++i) values.push_back(points[i].value);
  return values;
}

}  // namespace results
