#include "results/units.hpp"

#include <algorithm>
#include <array>
#include <charconv>
#include <cmath>
#include <cstdint>

#include <fmt/format.h>

namespace results {
namespace {

std::vector<Scale> scales(Unit unit) {
  switch (unit) {
    case Unit::nanoseconds:
      return {{1, "ns"}, {1e3, "µs"}, {1e6, "ms"}, {1e9, "s"}};
    case Unit::per_second:
      return {{1, "/s"}, {1e3, "k/s"}, {1e6, "M/s"}, {1e9, "G/s"}};
    case Unit::bytes:
      return {{1, "B"}, {1 << 10, "KiB"}, {1 << 20, "MiB"}};
    case Unit::bytes_per_second:
      return {{1, "B/s"}, {1e3, "kB/s"}, {1e6, "MB/s"}, {1e9, "GB/s"}};
    case Unit::count:
    case Unit::ratio:
    case Unit::words:
      break;
  }
  return {{1, ""}};
}

}  // namespace

Scale scale_for(Unit unit, const std::vector<double>& values) {
  const std::vector<Scale> all = scales(unit);
  const double middle = values.empty() ? 0 : median(values);
  Scale best = all.front();
  for (const Scale& scale : all) {
    if (middle >= scale.factor) best = scale;
  }
  return best;
}

std::string significant(double value, int digits) {
  if (value == 0 || !std::isfinite(value)) return fmt::format("{}", value);
  // Rounded first: 9.996 has its last of three digits elsewhere than 9.994.
  const int exponent = static_cast<int>(std::floor(std::log10(std::abs(value))));
  const double step = std::pow(10.0, exponent - digits + 1);
  const double rounded = std::round(value / step) * step;
  const int magnitude = static_cast<int>(std::floor(std::log10(std::abs(rounded)) + 1e-9));
  return fmt::format("{:.{}f}", rounded, std::max(0, digits - 1 - magnitude));
}

std::string with_spread(const Summary& summary, const Scale& scale) {
  const double spread = summary.spread();
  // An interval of a tenth either way leaves nothing to a third digit.
  const std::string value = significant(summary.median / scale.factor, spread > 0.1 ? 2 : 3);
  if (summary.launches < 2) return value;
  const double percent = spread * 100;
  return fmt::format("{} ±{:.{}f} %", value, percent, percent >= 0.05 && percent < 0.95 ? 1 : 0);
}

std::string with_unit(double value, Unit unit) {
  const Scale scale = scale_for(unit, {value});
  const std::string number = significant(value / scale.factor);
  return scale.symbol.empty() ? number : number + " " + scale.symbol;
}

Unit unit_of(std::string_view figure) {
  if (figure.ends_with("bytes_per_second")) return Unit::bytes_per_second;
  if (figure.ends_with("_per_second")) return Unit::per_second;
  const auto has_word = [&](std::string_view word) {
    return figure.ends_with(word) || figure.find(std::string(word) + "_") != figure.npos;
  };
  if (has_word("_ns")) return Unit::nanoseconds;
  return has_word("bytes") ? Unit::bytes : Unit::count;
}

std::string percent_text(double effect) {
  const double percent = std::expm1(effect) * 100;
  if (!std::isfinite(percent)) return "-";
  const bool fraction_matters = std::abs(percent) < 99.95;
  return fmt::format("{:+.{}f} %", percent, fraction_matters ? 1 : 0);
}

std::string ratio_text(double ratio) {
  return significant(ratio, ratio < 10 ? 3 : 2);
}

std::string bytes_text(std::string_view bytes) {
  std::uint64_t value = 0;
  const auto parsed = std::from_chars(bytes.data(), bytes.data() + bytes.size(), value);
  if (parsed.ec != std::errc() || parsed.ptr != bytes.data() + bytes.size()) {
    return std::string(bytes);
  }
  constexpr std::array<const char*, 4> symbols = {"B", "KiB", "MiB", "GiB"};
  std::size_t power = 0;
  while (value >= 1024 && value % 1024 == 0 && power + 1 < symbols.size()) {
    value /= 1024;
    ++power;
  }
  return fmt::format("{} {}", value, symbols[power]);
}

}  // namespace results
