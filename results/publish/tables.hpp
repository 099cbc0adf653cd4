// The tables that are published, declared as data. One function (results/publish/table.hpp) fills
// them all.
#pragma once

#include <optional>
#include <string_view>
#include <vector>

#include "results/publish/measurements.hpp"
#include "results/units.hpp"

namespace results {

// A figure of rows, and how to read it.
struct Figure {
  std::string_view name;
  Unit unit;
  bool lower_is_better = true;
};

// The row that a cell is divided by.
struct Reference {
  std::string_view scenario = {};           // empty: that of the cell
  Keys keys = {};                           // "{channel}_x": with the cell's value of `channel`
  std::vector<std::string_view> same = {};  // keys that have the cell's value, where it has them
};

struct Column {
  std::string_view heading;  // of a spread, what follows the value
  Figure figure;
  Keys where = {};                            // in addition to that of the table
  std::string_view spread = {};               // one column for each value of this key
  std::optional<Reference> relative_to = {};  // the cell is a ratio
  std::string_view scenario = {};             // empty: that of the table
};

// Keys that neither `where`, nor `rows`, nor a column binds split a table into several: two rows
// that differ in anything never meet in one cell.
struct TableSpec {
  std::string_view id;  // of its CSV file and of links to it
  std::string_view title;
  std::string_view question;
  std::string_view timed;  // one sentence: what the figures are
  std::string_view scenario;
  Keys where = {};
  std::vector<std::string_view> rows;  // the keys that name a line
  std::vector<Column> columns;
  bool folded = false;            // a detail, opened by a click
  bool a_scale_per_cell = false;  // its lines are not compared with each other
};

// In the order in which a reader asks.
const std::vector<TableSpec>& tables();

// The one that fits a terminal.
const TableSpec& summary_table();

// What a key with its value is called above a table or a column: "Between processes", "64 B".
// Falls back to "key: value".
std::string words_for(std::string_view key, std::string_view value);

// What a value is called in a column that is headed heading_for(key): "processes".
std::string label_for(std::string_view key, std::string_view value);

// What a key is called above a column of its values.
std::string heading_for(std::string_view key);

}  // namespace results
