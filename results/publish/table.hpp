// One table, filled: lines and columns of summaries, ready to be written in any format.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "results/publish/measurements.hpp"
#include "results/publish/tables.hpp"

namespace results {

struct Cell {
  Name name;                     // of the row it stands for
  std::optional<Summary> value;  // nothing when it was not measured
  std::optional<double> ratio;   // of the medians, in a column that is relative to something
  std::string words = {};        // the label, in a column of Unit::words

  [[nodiscard]] bool empty() const { return !value && words.empty(); }
};

struct Head {
  std::string text;
  Figure figure;
  bool relative = false;
  Scale scale;
};

struct Line {
  std::vector<std::string> labels;  // one for each key of Table::label_keys
  bool spins = false;
  std::vector<Cell> cells;
};

struct Note {
  std::string text;
  std::vector<std::string> about;  // labels of lines
};

struct Table {
  const TableSpec* spec;
  std::string part;  // which of several this is: "between processes"; empty when it is the only one
  std::vector<std::string> label_keys;  // those keys of TableSpec::rows that any line has
  std::vector<Head> heads;
  std::vector<Line> lines;
  std::vector<Note> notes;  // why cells are empty, which were measured less often
};

// The tables that a declaration asks for, none without rows to show. Lines come in the catalog's
// order. Of a spread, values that less than half of the lines have are left out.
// Requires that `spec` outlives the tables.
std::vector<Table> fill(const TableSpec& spec, const Measurements& measurements,
                        const Catalog& catalog);

// The text of a cell in the scale of its column.
std::string cell_text(const Table& table, const Head& head, const Cell& cell);

}  // namespace results
