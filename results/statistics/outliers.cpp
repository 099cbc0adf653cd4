#include "results/statistics/outliers.hpp"

#include <cmath>
#include <numeric>

#include "results/statistics/median.hpp"

namespace results {

std::vector<std::size_t> outliers(std::span<const double> values, double limit) {
  if (values.empty()) return {};
  const double middle = median({values.begin(), values.end()});
  std::vector<double> distances;
  distances.reserve(values.size());
  for (const double value : values) distances.push_back(std::abs(value - middle));
  // Both factors make the standard deviation of what is normally distributed.
  double deviation = 1.4826 * median(distances);
  if (deviation == 0) {
    deviation = 1.2533 * std::accumulate(distances.begin(), distances.end(), 0.0) /
                static_cast<double>(distances.size());
  }
  std::vector<std::size_t> found;
  for (std::size_t i = 0; i < distances.size(); ++i) {
    if (distances[i] > limit * deviation) found.push_back(i);
  }
  return found;
}

}  // namespace results
