#include "results/publish/table.hpp"

#include <algorithm>
#include <charconv>
#include <map>
#include <set>
#include <tuple>

#include <fmt/format.h>
#include <fmt/ranges.h>

namespace results {
namespace {

using Labels = std::vector<std::string>;
using Binding = std::vector<std::pair<std::string, std::string>>;  // keys with their values

Keys view(const Binding& binding) {
  return {binding.begin(), binding.end()};
}

// Numbers by value and before words; words in the order in which they were met.
void sort_values(std::vector<std::string>& values) {
  const auto number = [](const std::string& text) {
    double value = 0;
    const auto end = text.data() + text.size();
    return std::from_chars(text.data(), end, value).ptr == end ? value : -1;
  };
  std::stable_sort(values.begin(), values.end(), [&](const std::string& a, const std::string& b) {
    return number(a) < number(b);
  });
}

void add_once(std::vector<std::string>& values, std::string_view value) {
  if (std::find(values.begin(), values.end(), value) == values.end()) values.emplace_back(value);
}

// A column after its spread: bound to one value.
struct BoundColumn {
  const Column* column;
  Binding keys;
  std::string heading;
};

class Filler {
 public:
  Filler(const TableSpec& spec, const Measurements& measurements, const Catalog& catalog)
      : spec_(spec), measurements_(measurements), catalog_(catalog) {}

  std::vector<Table> tables() {
    std::vector<Table> tables;
    const std::vector<Name> names = measurements_.names(spec_.scenario, spec_.where);
    const std::vector<std::string> free = free_keys(names);
    std::vector<Binding> parts;
    for (const Name& name : names) {
      Binding part;
      for (const std::string& key : free) part.emplace_back(key, name.value(key));
      if (std::find(parts.begin(), parts.end(), part) == parts.end()) parts.push_back(part);
    }
    for (const Binding& part : parts) {
      Keys keys = spec_.where;
      for (const auto& [key, value] : part) keys.emplace_back(key, value);
      Table table = fill(part, measurements_.names(spec_.scenario, keys));
      if (!table.lines.empty()) tables.push_back(std::move(table));
    }
    return tables;
  }

 private:
  // The keys of these names that nothing in the declaration binds.
  [[nodiscard]] std::vector<std::string> free_keys(const std::vector<Name>& names) const {
    std::set<std::string_view> bound(spec_.rows.begin(), spec_.rows.end());
    for (const auto& key : spec_.where) bound.insert(key.first);
    for (const Column& column : spec_.columns) {
      bound.insert(column.spread);
      for (const auto& key : column.where) bound.insert(key.first);
    }
    std::vector<std::string> free;
    for (const Name& name : names) {
      for (const auto& key : name.keys) {
        if (bound.count(key.first) == 0) add_once(free, key.first);
      }
    }
    return free;
  }

  Table fill(const Binding& part, const std::vector<Name>& names) {
    Table table{
        .spec = &spec_, .part = {}, .label_keys = {}, .heads = {}, .lines = {}, .notes = {}};
    std::vector<std::string> words;
    for (const auto& [key, value] : part) words.push_back(words_for(key, value));
    table.part = fmt::format("{}", fmt::join(words, ", "));
    for (const std::string_view key : spec_.rows) {
      if (std::any_of(names.begin(), names.end(),
                      [&](const Name& name) { return !name.value(key).empty(); })) {
        table.label_keys.emplace_back(key);
      }
    }
    const std::vector<Labels> lines = line_labels(table.label_keys, names);
    for (const Labels& labels : lines) {
      table.lines.push_back(
          {.labels = labels,
           .spins = std::any_of(labels.begin(), labels.end(),
                                [&](const std::string& label) { return catalog_.spins(label); }),
           .cells = {}});
    }
    for (const BoundColumn& column : bind_columns(names, lines.size())) {
      add_column(table, column, part, names.front());
    }
    // A line of which nothing is known here has no place here.
    std::erase_if(table.lines, [](const Line& line) {
      return std::all_of(line.cells.begin(), line.cells.end(),
                         [](const Cell& cell) { return cell.empty(); });
    });
    scale(table);
    note(table);
    return table;
  }

  [[nodiscard]] std::vector<Labels> line_labels(const std::vector<std::string>& keys,
                                                const std::vector<Name>& names) const {
    std::vector<Labels> lines;
    std::map<std::pair<std::size_t, std::string>, std::size_t> met;  // which label came when
    for (const Name& name : names) {
      Labels labels;
      for (const std::string& key : keys) labels.emplace_back(name.value(key));
      for (std::size_t i = 0; i < labels.size(); ++i) met.try_emplace({i, labels[i]}, met.size());
      if (std::find(lines.begin(), lines.end(), labels) == lines.end()) lines.push_back(labels);
    }
    const auto rank = [&](const Labels& labels) {
      std::vector<std::tuple<std::size_t, std::size_t>> ranks;
      for (std::size_t i = 0; i < labels.size(); ++i) {
        ranks.emplace_back(catalog_.position(labels[i]), met.at({i, labels[i]}));
      }
      return ranks;
    };
    std::stable_sort(lines.begin(), lines.end(),
                     [&](const Labels& a, const Labels& b) { return rank(a) < rank(b); });
    return lines;
  }

  [[nodiscard]] std::vector<BoundColumn> bind_columns(const std::vector<Name>& names,
                                                      std::size_t lines) const {
    std::vector<BoundColumn> columns;
    for (const Column& column : spec_.columns) {
      const Binding where(column.where.begin(), column.where.end());
      if (column.spread.empty()) {
        columns.push_back({&column, where, std::string(column.heading)});
        continue;
      }
      std::vector<std::string> values;
      for (const Name& name : names) add_once(values, name.value(column.spread));
      sort_values(values);
      for (const std::string& value : values) {
        const auto have = std::count_if(names.begin(), names.end(), [&](const Name& name) {
          return name.value(column.spread) == value;
        });
        if (2 * static_cast<std::size_t>(have) < lines) continue;
        Binding keys = where;
        keys.emplace_back(column.spread, value);
        columns.push_back({&column, keys, words_for(column.spread, value)});
      }
    }
    return columns;
  }

  // `like` is a row of this table: it tells the order of keys in the names of absent ones.
  void add_column(Table& table, const BoundColumn& bound, const Binding& part, const Name& like) {
    const Column& column = *bound.column;
    std::vector<Cell> cells;
    for (const Line& line : table.lines) {
      Binding keys = part;
      keys.insert(keys.end(), spec_.where.begin(), spec_.where.end());
      keys.insert(keys.end(), bound.keys.begin(), bound.keys.end());
      for (std::size_t i = 0; i < line.labels.size(); ++i) {
        keys.emplace_back(table.label_keys[i], line.labels[i]);
      }
      cells.push_back(cell(column, keys, like));
    }
    // A column that nobody has is not a column.
    if (std::all_of(cells.begin(), cells.end(), [&](const Cell& cell) {
          return column.relative_to ? !cell.ratio : cell.empty();
        })) {
      return;
    }
    table.heads.push_back({.text = bound.heading,
                           .figure = column.figure,
                           .relative = column.relative_to.has_value(),
                           .scale = {}});
    for (std::size_t i = 0; i < cells.size(); ++i) table.lines[i].cells.push_back(cells[i]);
  }

  [[nodiscard]] Cell cell(const Column& column, const Binding& keys, const Name& like) const {
    const std::string_view scenario = column.scenario.empty() ? spec_.scenario : column.scenario;
    const std::vector<Name> found = measurements_.names(scenario, view(keys));
    if (found.empty()) {
      Name absent = like;
      absent.scenario = scenario;
      for (const auto& [key, value] : keys) {
        if (!value.empty()) absent = absent.with(key, value);
      }
      return {.name = absent, .value = {}, .ratio = {}};
    }
    Cell cell{.name = found.front(),
              .value = measurements_.summary(found.front(), column.figure.name),
              .ratio = {}};
    if (column.figure.unit == Unit::words) cell.words = measurements_.label(cell.name);
    if (!column.relative_to || !cell.value) return cell;
    const std::optional<Summary> base = reference(*column.relative_to, column.figure, cell.name);
    if (base && base->median > 0) cell.ratio = cell.value->median / base->median;
    if (!cell.ratio) cell.value.reset();
    return cell;
  }

  [[nodiscard]] std::optional<Summary> reference(const Reference& reference, const Figure& figure,
                                                 const Name& cell) const {
    Binding keys;
    for (const auto& [key, pattern] : reference.keys) {
      std::string value(pattern);
      const std::size_t open = value.find('{'), close = value.find('}');
      if (open != std::string::npos && close != std::string::npos) {
        const std::string named = value.substr(open + 1, close - open - 1);
        value.replace(open, close - open + 1, cell.value(named));
      }
      keys.emplace_back(key, value);
    }
    const std::string_view scenario =
        reference.scenario.empty() ? std::string_view(cell.scenario) : reference.scenario;
    for (const Name& name : measurements_.names(scenario, view(keys))) {
      const bool same =
          std::all_of(reference.same.begin(), reference.same.end(), [&](std::string_view key) {
            return name.value(key).empty() || name.value(key) == cell.value(key);
          });
      if (same) return measurements_.summary(name, figure.name);
    }
    return std::nullopt;
  }

  // Columns of one unit share a scale, so that they can be compared at a glance.
  static void scale(Table& table) {
    std::map<Unit, std::vector<double>> values;
    for (const Line& line : table.lines) {
      for (std::size_t i = 0; i < line.cells.size(); ++i) {
        const Head& head = table.heads[i];
        if (line.cells[i].value && !head.relative) {
          values[head.figure.unit].push_back(line.cells[i].value->median);
        }
      }
    }
    for (Head& head : table.heads) {
      head.scale = scale_for(head.figure.unit, values[head.figure.unit]);
    }
  }

  void note(Table& table) const {
    const auto add = [&](const std::string& text, const std::string& label) {
      auto found = std::find_if(table.notes.begin(), table.notes.end(),
                                [&](const Note& each) { return each.text == text; });
      if (found == table.notes.end()) found = table.notes.insert(found, {text, {}});
      add_once(found->about, label);
    };
    for (const Line& line : table.lines) {
      for (std::size_t i = 0; i < line.cells.size(); ++i) {
        const Cell& cell = line.cells[i];
        if (cell.value && cell.value->launches < measurements_.launches()) {
          add(fmt::format("Measured by fewer than {} launches", measurements_.launches()),
              line.labels.front());
        }
        // A row without this figure, or without the other part of a ratio, is not an absent row.
        if (cell.value || table.heads[i].relative || measurements_.has(cell.name)) continue;
        const std::string reason = catalog_.why_absent(cell.name.text());
        add("– " + (reason.empty() ? "not measured in this run" : reason), line.labels.front());
      }
    }
  }

  const TableSpec& spec_;
  const Measurements& measurements_;
  const Catalog& catalog_;
};

}  // namespace

std::vector<Table> fill(const TableSpec& spec, const Measurements& measurements,
                        const Catalog& catalog) {
  return Filler(spec, measurements, catalog).tables();
}

std::string cell_text(const Table& table, const Head& head, const Cell& cell) {
  if (cell.empty()) return "–";
  if (head.figure.unit == Unit::words) return cell.words;
  if (head.relative) return ratio_text(*cell.ratio);
  if (head.figure.unit == Unit::count) return fmt::format("{:.0f}", cell.value->median);
  if (!table.spec->a_scale_per_cell) return with_spread(*cell.value, head.scale);
  const Scale scale = scale_for(head.figure.unit, {cell.value->median});
  std::string text = with_spread(*cell.value, scale);
  // The unit belongs to the figure, not to its spread.
  const std::size_t end = text.find(' ');
  return text.insert(end == std::string::npos ? text.size() : end, " " + scale.symbol);
}

}  // namespace results
