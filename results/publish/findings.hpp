// What stands out in a run, in sentences. Computed: no name and no figure is typed here.
#pragma once

#include <string>
#include <vector>

#include "results/publish/measurements.hpp"

namespace results {

struct Finding {
  std::string about;  // two or three words
  std::string says;   // names are between backticks
};

// In the order of the tables; a finding whose rows were not measured is left out.
std::vector<Finding> findings(const Measurements& measurements);

}  // namespace results
