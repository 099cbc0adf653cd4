#include "results/publish/render.hpp"

#include <algorithm>
#include <cctype>

#include <fmt/format.h>
#include <fmt/ranges.h>

namespace results {
namespace {

// A line break would end a cell.
char on_one_line(char c) {
  return c == '\n' || c == '\r' ? ' ' : c;
}

// Characters, not bytes: of UTF-8 only the first byte of each counts.
std::size_t width(std::string_view text) {
  return static_cast<std::size_t>(
      std::count_if(text.begin(), text.end(), [](char c) { return (c & 0xC0) != 0x80; }));
}

std::string padded(std::string_view text, std::size_t columns, bool right) {
  const std::string blanks(columns - std::min(columns, width(text)), ' ');
  return right ? blanks + std::string(text) : std::string(text) + blanks;
}

// The first column of figures, whose unit stands for the table.
const Head& first_figure(const Table& table) {
  const auto found = std::find_if(table.heads.begin(), table.heads.end(),
                                  [](const Head& head) { return head.figure.unit != Unit::words; });
  return found == table.heads.end() ? table.heads.front() : *found;
}

// The heading of a column; its unit too, unless the table as a whole is in that unit.
std::string head_text(const Table& table, const Head& head) {
  if (head.relative || table.spec->a_scale_per_cell || head.scale.symbol.empty() ||
      head.scale.symbol == first_figure(table).scale.symbol) {
    return head.text;
  }
  return head.text.empty() ? head.scale.symbol
                           : fmt::format("{}, {}", head.text, head.scale.symbol);
}

std::string label_text(const Table& table, const Line& line, std::size_t i) {
  if (i > 0) return markdown_text(label_for(table.label_keys[i], line.labels[i]));
  return markdown_code(line.labels[0]) + (line.spins ? " ↻" : "");
}

std::vector<std::size_t> widths_of(const TextRows& rows, std::size_t narrowest) {
  std::vector<std::size_t> widths(rows.front().size(), narrowest);
  for (const auto& row : rows) {
    for (std::size_t i = 0; i < row.size(); ++i) widths[i] = std::max(widths[i], width(row[i]));
  }
  return widths;
}

}  // namespace

std::string markdown_text(std::string_view text) {
  std::string result;
  for (std::size_t i = 0; i < text.size(); ++i) {
    const auto is_word = [&](std::size_t at) {
      return at < text.size() && std::isalnum(static_cast<unsigned char>(text[at])) != 0;
    };
    // Within a word an underscore is only itself.
    const bool special =
        text[i] == '_' ? !(i > 0 && is_word(i - 1) && is_word(i + 1))
                       : std::string_view("\\`*<>[]|").find(text[i]) != std::string_view::npos;
    if (special) result += '\\';
    result += on_one_line(text[i]);
  }
  return result;
}

std::string markdown_code(std::string_view text) {
  // In code only the border of a cell is special, and a backtick needs a longer fence.
  std::string cell;
  for (const char c : text) {
    if (c == '|') cell += '\\';
    cell += on_one_line(c);
  }
  return text.find('`') == std::string_view::npos ? fmt::format("`{}`", cell)
                                                  : fmt::format("`` {} ``", cell);
}

std::string csv_field(std::string_view text) {
  if (text.find_first_of(",\"\n") == std::string_view::npos) return std::string(text);
  std::string quoted = "\"";
  for (const char c : text) {
    if (c == '"') quoted += '"';
    quoted += c;
  }
  return quoted + '"';
}

std::string markdown_rows(const TextRows& rows, std::size_t labels) {
  const std::vector<std::size_t> widths = widths_of(rows, 3);
  std::string text;
  for (std::size_t r = 0; r < rows.size(); ++r) {
    for (std::size_t i = 0; i < rows[r].size(); ++i) {
      text += fmt::format("| {} ", padded(rows[r][i], widths[i], i >= labels));
    }
    text += "|\n";
    if (r > 0) continue;
    for (std::size_t i = 0; i < widths.size(); ++i) {
      text += i >= labels ? fmt::format("|{}:", std::string(widths[i] + 1, '-'))
                          : fmt::format("|{}", std::string(widths[i] + 2, '-'));
    }
    text += "|\n";
  }
  return text;
}

std::string terminal_rows(const TextRows& rows, std::size_t labels) {
  const std::vector<std::size_t> widths = widths_of(rows, 0);
  std::string text;
  for (const auto& row : rows) {
    std::string line;
    for (std::size_t i = 0; i < row.size(); ++i) {
      line += (i == 0 ? "" : "  ") + padded(row[i], widths[i], i >= labels);
    }
    text += line + '\n';
  }
  return text;
}

std::string reading(const Table& table) {
  const Head& first = first_figure(table);
  const bool lower = first.figure.lower_is_better;
  std::string text = first.relative || table.spec->a_scale_per_cell || first.scale.symbol.empty()
                         ? std::string()
                         : first.scale.symbol + ", ";
  text += lower ? "lower is better" : "higher is better";
  return text;
}

std::string markdown(const Table& table) {
  TextRows rows;
  std::vector<std::string>& header = rows.emplace_back();
  for (const std::string& key : table.label_keys) header.push_back(heading_for(key));
  for (const Head& head : table.heads) header.push_back(head_text(table, head));
  for (const Line& line : table.lines) {
    std::vector<std::string>& row = rows.emplace_back();
    for (std::size_t i = 0; i < line.labels.size(); ++i) row.push_back(label_text(table, line, i));
    for (std::size_t i = 0; i < line.cells.size(); ++i) {
      row.push_back(markdown_text(cell_text(table, table.heads[i], line.cells[i])));
    }
  }
  std::string text = markdown_rows(rows, table.label_keys.size());
  for (const Note& note : table.notes) {
    std::vector<std::string> about;
    for (const std::string& label : note.about) about.push_back(markdown_code(label));
    text += fmt::format("\n{}: {}\n", markdown_text(note.text), fmt::join(about, ", "));
  }
  return text;
}

std::string csv(const std::vector<Table>& tables) {
  std::string text = "row,column,figure,median,lower,upper,coverage,launches,ratio,label\n";
  for (const Table& table : tables) {
    for (const Line& line : table.lines) {
      for (std::size_t i = 0; i < line.cells.size(); ++i) {
        const Cell& cell = line.cells[i];
        if (!cell.words.empty()) {
          text += fmt::format("{},{},{},,,,,,,{}\n", csv_field(cell.name.text()),
                              csv_field(table.heads[i].text), table.heads[i].figure.name,
                              csv_field(cell.words));
        }
        if (!cell.value) continue;
        text += fmt::format(
            "{},{},{},{},{},{},{:.4f},{},{},\n", csv_field(cell.name.text()),
            csv_field(table.heads[i].text), table.heads[i].figure.name, cell.value->median,
            cell.value->interval.lower, cell.value->interval.upper, cell.value->interval.coverage,
            cell.value->launches, cell.ratio ? fmt::format("{:.4g}", *cell.ratio) : std::string());
      }
    }
  }
  return text;
}

std::string terminal(const Table& table) {
  TextRows rows;
  const std::string unit = first_figure(table).relative ? "" : first_figure(table).scale.symbol;
  std::vector<std::string>& header = rows.emplace_back();
  header.push_back(fmt::format("{}{}{}", table.spec->title, unit.empty() ? "" : ", ", unit));
  for (const Head& head : table.heads) header.push_back(head_text(table, head));
  for (const Line& line : table.lines) {
    std::vector<std::string>& row = rows.emplace_back();
    row.push_back(fmt::format("  {}{}", fmt::join(line.labels, " "), line.spins ? " (spins)" : ""));
    for (std::size_t i = 0; i < line.cells.size(); ++i) {
      row.push_back(cell_text(table, table.heads[i], line.cells[i]));
    }
  }
  return terminal_rows(rows, 1);
}

}  // namespace results
