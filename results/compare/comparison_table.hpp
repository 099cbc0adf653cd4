// Comparisons as tables: each row shows what its verdict rests on and what it could not have seen.
#pragma once

#include <span>
#include <string>

#include "results/compare/comparison.hpp"
#include "results/run_file.hpp"

namespace results {

// "▲ regression": a sign and the word, so that neither colour nor a font is needed. The sign tells
// the direction: ▲ head needs more, ▼ head needs less, ~ nothing was shown, = the same, ! no
// values.
std::string verdict_text(const Comparison& comparison);

// Of the hypothesis that the verdict is about, else of a change in the direction of the effect.
double p_of(const Comparison& comparison);

// Aligned for a terminal, with a legend; why a row has no verdict stands below.
std::string comparisons_terminal(std::span<const Comparison> comparisons);

// The same as a table of Markdown, without the legend.
std::string comparisons_markdown(std::span<const Comparison> comparisons);

// One record for each, in base units and in full; effects are logarithms of ratios.
std::string comparisons_csv(std::span<const Comparison> comparisons);
Json comparison_json(const Comparison& comparison);

// What the columns mean, in one line.
std::string comparisons_legend();

}  // namespace results
