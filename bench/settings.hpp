// How much is measured: one word on the command line.
#pragma once

#include <optional>
#include <string_view>

namespace bench {

enum class Size { smoke, quick, full };

inline constexpr std::string_view to_text(Size size) {
  switch (size) {
    case Size::smoke:
      return "smoke";
    case Size::quick:
      return "quick";
    case Size::full:
      return "full";
  }
  return "";
}

inline std::optional<Size> parse_size(std::string_view text) {
  for (const Size size : {Size::smoke, Size::quick, Size::full}) {
    if (text == to_text(size)) return size;
  }
  return std::nullopt;
}

// What a row is timed for, unless --benchmark_min_time says otherwise.
inline constexpr double default_seconds_per_row(Size size) {
  switch (size) {
    case Size::smoke:
      return 0.002;
    case Size::quick:
      return 0.010;
    case Size::full:
      return 0.3;
  }
  return 0;
}

struct Settings {
  Size size = Size::quick;
  double seconds_per_row = default_seconds_per_row(Size::quick);
};

}  // namespace bench
