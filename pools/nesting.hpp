// Pools inside the workers of pools.
#pragma once

#include <cstddef>

namespace pools {

// A task that makes a pool whose tasks make pools would go on until the machine has no room left.
inline constexpr std::size_t nesting_max = 10;

// How many pools this process is inside of: 0 outside of workers.
inline std::size_t nesting_depth = 0;

}  // namespace pools
