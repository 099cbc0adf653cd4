// Does what one run says depend on what the run before said? Then n runs tell less than n
// independent ones.
#pragma once

#include <span>

namespace results {

// The correlation of neighbours, corrected for its bias of about -(1 + 4 r) / n (F. H. C. Marriott
// and J. A. Pope, "Bias in the estimation of autocorrelations", Biometrika 41, 1954). In (-1, 1).
// The values should have no change of level. 0 for fewer than 4 values, or equal ones.
double lag_one_autocorrelation(std::span<const double> values);

// The probability of correlations of neighbours this far from 0 among independent values (G. M.
// Ljung and G. E. P. Box, "On a measure of lack of fit in time series models", Biometrika 65,
// 1978). 1 for fewer than 4 values, or equal ones.
double ljung_box_p(std::span<const double> values);

// How many times as large the standard deviation of a long sum is when neighbours are correlated by
// `lag_one` in a first-order autoregression: the square root of (1 + r) / (1 - r).
// Requires -1 < lag_one < 1.
double sum_inflation(double lag_one);

}  // namespace results
