// The tables about pools, ours and others; a part of tables().
#pragma once

#include <vector>

#include "results/publish/tables.hpp"

namespace results {

std::vector<TableSpec> pool_tables();

}  // namespace results
