#include "results/statistics/finite.hpp"

#include <cmath>
#include <cstddef>
#include <stdexcept>

#include <fmt/format.h>

namespace results {

void require_finite(std::span<const double> values, std::string_view function) {
  for (std::size_t i = 0; i < values.size(); ++i) {
    if (std::isfinite(values[i])) continue;
    throw std::invalid_argument(
        fmt::format("{}: value {} of {} is {}; leave out what was not measured", function, i + 1,
                    values.size(), values[i]));
  }
}

}  // namespace results
