// Tables as text: Markdown, CSV, and columns aligned for a terminal.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "results/publish/table.hpp"

namespace results {

// Text that Markdown takes literally, in a cell of a table too.
std::string markdown_text(std::string_view text);

// A name in code type: `spsc_ring<spin>`.
std::string markdown_code(std::string_view text);

// A field of RFC 4180, quoted where it has to be.
std::string csv_field(std::string_view text);

// Cells of text line by line, the heading first; every line has as many.
using TextRows = std::vector<std::vector<std::string>>;

// As a table of Markdown, aligned in the source too: a page is read there as well. Its cells are
// Markdown. The first `labels` columns stand at the left.
std::string markdown_rows(const TextRows& rows, std::size_t labels);

// Aligned by blanks, the first `labels` columns at the left.
std::string terminal_rows(const TextRows& rows, std::size_t labels);

// The table alone, with its notes below.
std::string markdown(const Table& table);

// One record per cell, in ns, bytes and seconds: the name of the row, its figure, median, bounds,
// launches.
std::string csv(const std::vector<Table>& tables);

// Aligned by blanks.
std::string terminal(const Table& table);

// What the figures of a table are in: "µs, lower is better".
std::string reading(const Table& table);

}  // namespace results
