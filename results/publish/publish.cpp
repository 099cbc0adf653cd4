#include "results/publish/publish.hpp"

#include <array>
#include <cstdio>
#include <span>
#include <string>
#include <string_view>

#include <fmt/format.h>
#include <fmt/ranges.h>

#include "results/publish/findings.hpp"
#include "results/publish/render.hpp"
#include "results/publish/table.hpp"
#include "results/publish/tables.hpp"
#include "results/run_file.hpp"

namespace results {
namespace {

Run read(const std::vector<std::filesystem::path>& files) {
  std::vector<Run> runs;
  for (auto file = files.begin(); file != files.end(); ++file) {
    runs.push_back(read_run_file(*file));
    for (auto other = files.begin(); other != file; ++other) {
      if (!std::filesystem::equivalent(*file, *other)) continue;
      throw Failure(Exit::usage,
                    fmt::format("{} and {} are the same file: its launches would count "
                                "twice",
                                other->string(), file->string()));
    }
  }
  return join(std::move(runs));
}

// "AMD EPYC, 2 CPUs (2 cores), a virtual machine (kvm), Linux 6.1.0"
std::string machine_line(const Run& run) {
  const auto field = [&](const char* name) { return run.text(fmt::format("/machine/{}", name)); };
  const std::string virtualization = field("virtualization"), governor = field("governor");
  std::string line = fmt::format(
      "{}, {} CPUs ({} cores), {}, {}", field("cpu"), field("cpus"), field("cores"),
      virtualization.empty() ? "bare metal" : fmt::format("a virtual machine ({})", virtualization),
      field("kernel"));
  line += governor.empty() ? ", frequency governor not visible"
                           : fmt::format(", frequency governor {}", governor);
  return line;
}

std::string build_line(const Run& run) {
  return fmt::format("{}, {} build, commit {}", run.text("/build/compiler"),
                     run.text("/build/type"), run.text("/build/commit"));
}

std::string coverage_text(const Measurements& measurements) {
  const std::size_t n = measurements.launches();
  if (n < 2) return "With one launch there is no interval.";
  std::vector<double> ranks;
  for (std::size_t rank = 1; rank <= n; ++rank) ranks.push_back(static_cast<double>(rank));
  const Interval interval = median_interval(ranks);
  const std::string which =
      interval.lower == 1 ? fmt::format("the extremes of {} launches", n)
                          : fmt::format("the smallest and the largest of {} launches but {:.0f}", n,
                                        interval.lower - 1);
  return fmt::format("± is the farther end of its {:.4g} % interval, which is {}.",
                     interval.coverage * 100, which);
}

// Whatever makes these figures worth less.
std::vector<std::string> cautions(const Run& run) {
  std::vector<std::string> all;
  if (run.text("/build/type") == "Debug") {
    all.push_back("The build was not optimised: the figures say nothing about speed.");
  }
  if (run.text("/size") == "smoke") {
    all.push_back("The smoke size only shows that everything runs: too short for figures.");
  }
  if (const std::string filter = run.text("/filter"); !filter.empty()) {
    all.push_back(fmt::format("Only rows whose names match {} were measured.", filter));
  }
  if (const std::string wanted = run.text("/rounds_wanted"), done = run.text("/rounds");
      !wanted.empty() && wanted != done) {
    all.push_back(fmt::format("{} of {} rounds fitted into the time for measuring.", done, wanted));
  }
  if (run.text("/build/commit").ends_with("-dirty")) {
    all.push_back("The tree had changes that were not committed.");
  }
  if (run.text("/interrupted") == "true") all.push_back("The run was interrupted.");
  const Json::json_pointer failures("/failures");
  if (run.about.contains(failures)) {
    for (const Json& failure : run.about.at(failures)) {
      if (failure.is_string()) all.push_back("Failed: " + failure.get<std::string>());
    }
  }
  for (const std::string& row : run.failed) all.push_back("No figures: " + row);
  return all;
}

// A property of every channel: what it is called, and where the catalog has it.
struct Property {
  std::string_view heading;
  const char* key;
};

std::string property_text(const Json& channel, const char* key) {
  if (!channel.contains(key) || channel.at(key).is_null()) return "?";
  const Json& value = channel.at(key);
  if (value.is_boolean()) return value.get<bool>() ? "yes" : "no";
  if (value == "") return "no";
  const std::string text = value.is_string() ? value.get<std::string>() : value.dump();
  return markdown_text(
      std::string_view(key).find("_bytes_") == std::string_view::npos ? text : bytes_text(text));
}

std::string channels_table(const Catalog& catalog, std::span<const Property> properties) {
  std::string text = "| mechanism |", rule = "|---|";
  for (const Property& property : properties) {
    text += fmt::format(" {} |", property.heading);
    rule += "---|";
  }
  text += "\n" + rule + "\n";
  for (const Json& channel : catalog.channels()) {
    text += fmt::format("| {} |", markdown_code(channel.value("name", "?")));
    for (const Property& property : properties) {
      text += fmt::format(" {} |", property_text(channel, property.key));
    }
    text += '\n';
  }
  return text;
}

std::string channels_section(const Catalog& catalog) {
  if (catalog.channels().empty()) return {};
  constexpr std::array<Property, 7> use{{{"longest message", "message_bytes_max"},
                                         {"senders", "senders"},
                                         {"receivers", "receivers"},
                                         {"waits by", "wait"},
                                         {"read and written in place", "loans"},
                                         {"can be polled", "pollable"},
                                         {"opened by", "opened_by"}}};
  constexpr std::array<Property, 4> death{{{"tells of a killed peer", "death_notice"},
                                           {"a waiter may be killed", "waiter_may_be_killed"},
                                           {"tries without waiting", "tries_without_waiting"},
                                           {"left after a crash", "outlives_crash"}}};
  return "\n## What each mechanism can do\n\n" + channels_table(catalog, use) +
         "\n## What holds when a process is killed\n\nBy what one who waits learns that its peer "
         "was "
         "killed, or no; whether the others go on when one is killed that waits; whether a call "
         "that "
         "may not wait returns at once, wherever the other side was stopped; and what is left "
         "behind "
         "when all are killed.\n\n" +
         channels_table(catalog, death);
}

// What a value of the context says: a list by its items, an object by its members.
std::string shown(const Json& value) {
  if (value.is_null()) return "not known, or none";
  if (value.is_string()) return value.get<std::string>();
  std::vector<std::string> parts;
  for (const auto& [key, item] : value.items()) {
    if (value.is_object()) parts.push_back(fmt::format("{}: {}", key, shown(item)));
    if (value.is_array()) parts.push_back(shown(item));
  }
  return value.is_structured()
             ? fmt::format("{}", fmt::join(parts, value.is_object() ? ", " : "; "))
             : value.dump();
}

std::string details(const Run& run) {
  std::string text =
      "<details><summary>The machine, its limits and the build in full</summary>\n\n";
  for (const char* part : {"machine", "limits", "placement", "environment", "build"}) {
    if (!run.about.contains(part)) continue;
    text += fmt::format("**{}**\n\n", part);
    for (const auto& [key, value] : run.about.at(part).items()) {
      text += fmt::format("- {}: {}\n", markdown_text(key), markdown_text(shown(value)));
    }
    text += '\n';
  }
  return text + "</details>\n";
}

std::string section(const TableSpec& spec, const std::vector<Table>& tables, bool csv) {
  std::string text = fmt::format("\n<a id=\"{}\"></a>\n\n## {}\n\n", spec.id, spec.title);
  text += fmt::format("*{}*\n\n{}", spec.question, spec.timed);
  text += csv ? fmt::format(" [CSV]({}.csv)\n", spec.id) : "\n";
  if (spec.folded) text += "\n<details><summary>Show the tables</summary>\n";
  for (const Table& table : tables) {
    text += table.part.empty()
                ? fmt::format("\n{}\n\n", reading(table))
                : fmt::format("\n**{}** · {}\n\n", markdown_text(table.part), reading(table));
    text += markdown(table);
  }
  if (spec.folded) text += "\n</details>\n";
  return text;
}

std::string page(const Run& run, const Measurements& measurements, const Catalog& catalog,
                 bool csv) {
  std::string text = "# Results\n\n";
  text += fmt::format("**{}.**\n", markdown_text(machine_line(run)));
  text += fmt::format("{} of each binary in shuffled rounds, {} size, {}. {}.\n",
                      measurements.launches() == 1
                          ? "1 launch"
                          : fmt::format("{} launches", measurements.launches()),
                      run.text("/size"), run.text("/started"), markdown_text(build_line(run)));
  text += fmt::format("Written by `ipc-compare publish` from `{}`; do not edit.\n", run.file);
  for (const std::string& caution : cautions(run)) {
    text += fmt::format("\n> **Caution.** {}\n", markdown_text(caution));
  }
  const std::vector<Finding> found = findings(measurements);
  if (!found.empty()) text += "\n## What stands out\n\n";
  for (const Finding& finding : found) {
    text += fmt::format("- **{}:** {}\n", finding.about, finding.says);
  }

  text += fmt::format(
      "\n## How to read the tables\n\nA cell is the median over launches. {} A – was not measured, "
      "for the reason below the table. A mechanism with ↻ spins: while it waits, it keeps a CPU "
      "busy that others could use, so read its time together with its CPU time. × says how many "
      "times as long it takes as what it is compared with.\n\n",
      coverage_text(measurements));
  std::string body;
  for (const TableSpec& spec : tables()) {
    const std::vector<Table> filled = fill(spec, measurements, catalog);
    if (filled.empty()) continue;
    text += fmt::format("- [{}](#{})\n", spec.title, spec.id);
    body += section(spec, filled, csv);
  }
  text += body;
  text += channels_section(catalog);
  text += "\n## What it was measured on\n\n" + details(run);
  return text;
}

// Breaks text at blanks; lines after the first are indented.
std::string wrapped(const std::string& text, std::size_t width, std::size_t indent) {
  std::string result;
  std::size_t column = 0;
  std::size_t start = 0;
  while (start < text.size()) {
    std::size_t end = text.find(' ', start);
    if (end == std::string::npos) end = text.size();
    const std::size_t length = end - start;
    if (column > 0 && column + 1 + length > width) {
      result += '\n';
      result.append(indent, ' ');
      column = indent;
    } else if (column > 0) {
      result += ' ';
      ++column;
    }
    result += text.substr(start, length);
    column += length;
    start = end + 1;
  }
  return result + "\n";
}

}  // namespace

Exit publish(const PublishOptions& options) {
  const Run run = read(options.files);
  const Measurements measurements(run);
  const Catalog catalog(run.about);
  if (options.csv) {
    for (const TableSpec& spec : tables()) {
      const std::vector<Table> filled = fill(spec, measurements, catalog);
      if (filled.empty()) continue;
      write_atomically(options.out / fmt::format("{}.csv", spec.id), csv(filled));
    }
  }
  if (options.markdown) {
    write_atomically(options.out / "README.md", page(run, measurements, catalog, options.csv));
  }
  fmt::print("published: {}\n",
             (options.markdown ? options.out / "README.md" : options.out).string());
  return Exit::ok;
}

Exit summary(const PublishOptions& options) {
  constexpr std::size_t width = 100;
  const Run run = read(options.files);
  const Measurements measurements(run);
  const Catalog catalog(run.about);
  fmt::print("{}", wrapped(machine_line(run), width, 0));
  for (const std::string& caution : cautions(run)) fmt::print("{}", wrapped(caution, width, 2));
  for (const Table& table : fill(summary_table(), measurements, catalog)) {
    fmt::print("\n{}", terminal(table));
  }
  const std::vector<Finding> found = findings(measurements);
  if (!found.empty()) fmt::print("\n");
  for (const Finding& finding : found) {
    fmt::print("{}", wrapped(fmt::format("{}: {}", finding.about, finding.says), width, 2));
  }
  return Exit::ok;
}

}  // namespace results
