// Many tests at once: p-values adjusted so that each may be held against the level for all. Each
// function gives them in the order of its input, at most 1, and none below the p it came from; all
// throw std::invalid_argument unless 0 <= p <= 1.
#pragma once

#include <span>
#include <vector>

namespace results {

// Keeps the probability of even one false rejection, however the tests depend on one another (S.
// Holm, "A simple sequentially rejective multiple test procedure", 1979). For gates.
std::vector<double> holm(std::span<const double> p_values);

// Keeps the expected share of false rejections among all rejections, for tests that are independent
// or depend positively (Y. Benjamini and Y. Hochberg, "Controlling the false discovery rate",
// 1995). For tables.
std::vector<double> benjamini_hochberg(std::span<const double> p_values);

// The same however the tests depend on one another, at the price of a factor 1 + 1/2 + ... + 1/m
// (Y. Benjamini and D. Yekutieli, "The control of the false discovery rate in multiple testing
// under dependency", 2001).
std::vector<double> benjamini_yekutieli(std::span<const double> p_values);

}  // namespace results
