// The one demand that every statistic makes of its input.
#pragma once

#include <span>
#include <string_view>

namespace results {

// Throws std::invalid_argument, which names the function, the place and the value, unless every
// value is finite: NaN has no rank, and from an infinity nothing can be subtracted.
void require_finite(std::span<const double> values, std::string_view function);

}  // namespace results
