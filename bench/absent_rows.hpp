// Which rows there are not, and why.
#pragma once

#include <nlohmann/json.hpp>

#include "bench/placement.hpp"
#include "bench/settings.hpp"

namespace bench {

// Regular expressions for names of rows that one would look for in vain, each with the reason:
// [{"rows": "...", "reason": "..."}]. Of pools of others that are missing altogether, nothing.
nlohmann::ordered_json absent_rows(Size size, const Placement& placement);

}  // namespace bench
