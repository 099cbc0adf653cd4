#include "results/run_file.hpp"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cmath>
#include <cstring>
#include <fstream>
#include <sstream>

#include <fmt/format.h>

#include "results/failure.hpp"

namespace results {
namespace fs = std::filesystem;
namespace {

// The library's own words, without the number of its exception.
std::string words(const nlohmann::json::exception& error) {
  const std::string_view text = error.what();
  const std::size_t end = text.find("] ");
  return std::string(end == std::string_view::npos ? text : text.substr(end + 2));
}

[[noreturn]] void reject(const fs::path& file, const std::string& what) {
  throw Failure(Exit::usage, fmt::format("{}: {}", file.string(), what));
}

double nanoseconds_per(std::string_view unit) {
  if (unit == "ns") return 1;
  if (unit == "us") return 1e3;
  if (unit == "ms") return 1e6;
  if (unit == "s") return 1e9;
  return 0;
}

// Fields of Google Benchmark that are numbers and not figures of the row.
bool is_bookkeeping(std::string_view field) {
  constexpr std::array<std::string_view, 9> fields = {"family_index", "per_family_instance_index",
                                                      "repetitions",  "repetition_index",
                                                      "threads",      "iterations",
                                                      "real_time",    "cpu_time",
                                                      "launch"};
  return std::find(fields.begin(), fields.end(), field) != fields.end();
}

class Checked {
 public:
  Checked(const fs::path& file, std::string place, const Json& object)
      : file_(file), place_(std::move(place)), object_(object) {
    if (!object.is_object()) reject(file_, place_ + ": is not an object");
  }

  [[nodiscard]] std::string text(const char* key) const {
    if (!object_.contains(key) || !object_[key].is_string()) fail(key, "is not a text");
    return object_[key].get<std::string>();
  }
  double number(const std::string& key) const {
    if (!object_.contains(key) || !object_[key].is_number()) fail(key, "is not a number");
    const double value = object_[key].get<double>();
    if (!std::isfinite(value) || value < 0) fail(key, "is negative or not finite");
    return value;
  }
  [[nodiscard]] std::string text_or(const char* key, const char* otherwise) const {
    return object_.contains(key) ? text(key) : otherwise;
  }
  [[nodiscard]] bool is_true(const char* key) const {
    return object_.contains(key) && object_[key] == true;
  }
  [[noreturn]] void fail(const std::string& key, const std::string& what) const {
    reject(file_, fmt::format("{}.{}: {}", place_, key, what));
  }

 private:
  const fs::path& file_;
  std::string place_;
  const Json& object_;
};

// What every entry has.
Row read_foreign_row(const Checked& entry, const Json& object) {
  Row row{.name = parse_name(entry.text("name")), .launch = 0, .figures = {}, .label = {}};
  if (row.name.scenario.empty()) entry.fail("name", "is empty");
  if (nanoseconds_per(entry.text("time_unit")) == 0) {
    entry.fail("time_unit", "is none of ns, us, ms, s");
  }
  entry.number("real_time");
  if (object.contains("cpu_time")) entry.number("cpu_time");
  if (object.contains("label")) row.label = entry.text("label");
  for (const auto& [key, value] : object.items()) {
    // Google Benchmark's writer spells NaN in a way that JSON does not know, others write null.
    if (value.is_null()) entry.fail(key, "is null, where a figure belongs");
  }
  row.figures = figures_of(object);
  return row;
}

// What an entry of a run file has besides; none of its figures is negative.
Row read_row(const Checked& entry, const Json& object) {
  Row row = read_foreign_row(entry, object);
  row.launch = static_cast<int>(entry.number("launch"));
  for (const auto& [key, value] : object.items()) {
    if (value.is_number()) entry.number(key);
  }
  return row;
}

Json parse(const fs::path& file) {
  const std::string text = read_text(file);
  try {
    return Json::parse(text);
  } catch (const nlohmann::json::exception& error) {
    reject(file, words(error));
  }
}

// The object "ipc_compare"; null in a file of another program.
Json about_in(const Json& document) {
  const Json::json_pointer path("/context/ipc_compare");
  return document.contains(path) && document[path].is_object() ? document[path] : Json();
}

// Reads the entries that are measurements by `read`, and sorts out those that failed.
template <class Read>
void read_rows(const fs::path& file, const Json& document, Run& run, Read read) {
  if (!document.contains("benchmarks") || !document["benchmarks"].is_array()) {
    reject(file, "benchmarks: is not a list");
  }
  bool has_aggregates = false;
  for (std::size_t i = 0; i < document["benchmarks"].size(); ++i) {
    const Json& object = document["benchmarks"][i];
    const Checked entry(file, fmt::format("benchmarks[{}]", i), object);
    if (object.contains("run_type") && entry.text("run_type") != "iteration") {
      has_aggregates = true;
    } else if (entry.is_true("error_occurred")) {
      run.failed.push_back(
          fmt::format("{}: {}", entry.text("name"), entry.text_or("error_message", "no reason")));
    } else if (entry.is_true("skipped")) {
      run.failed.push_back(fmt::format("{}: skipped: {}", entry.text("name"),
                                       entry.text_or("skip_message", "no reason")));
    } else {
      run.rows.push_back(read(entry, object));
    }
  }
  if (!run.rows.empty()) return;
  reject(file, has_aggregates ? "benchmarks: holds aggregates alone; measure without "
                                "--benchmark_report_aggregates_only"
                              : "benchmarks: holds no row that was measured");
}

Run run_of(const fs::path& file, const Json& document) {
  Run run{.file = file.filename().string(), .about = about_in(document), .rows = {}, .failed = {}};
  if (run.text("/schema") != std::to_string(schema)) {
    reject(file,
           fmt::format("context.ipc_compare.schema: is {}, this program reads {}",
                       run.text("/schema").empty() ? "missing" : run.text("/schema"), schema));
  }
  if (run.text("/machine/id").empty()) {
    reject(file, "context.ipc_compare.machine.id: is missing");
  }
  read_rows(file, document, run, read_row);
  return run;
}

// What the context of Google Benchmark tells, in the words of a run file. Which members there are
// depends on its version; the clock rate and the load change with every launch.
Json about_of(const Json& context) {
  Json about = {{"machine", Json::object()}, {"build", Json::object()}};
  const auto copy = [&](const char* key, const char* path) {
    if (context.contains(key)) about[Json::json_pointer(path)] = context[key];
  };
  copy("num_cpus", "/machine/cpus");
  copy("caches", "/machine/caches");
  copy("cpu_scaling_enabled", "/machine/scaling");
  copy("aslr_enabled", "/machine/aslr");
  copy("library_version", "/build/libraries/benchmark");
  copy("library_build_type", "/build/libraries/benchmark_type");
  return about;
}

Run launch_of(const fs::path& file, const Json& document) {
  if (!document.is_object() || !document.contains("context") || !document["context"].is_object()) {
    reject(file, "context: is missing; this is not the JSON of Google Benchmark");
  }
  const Json& context = document["context"];
  if (context.contains("json_schema_version") && context["json_schema_version"] != 1) {
    reject(file, fmt::format("context.json_schema_version: is {}, this program reads 1",
                             context["json_schema_version"].dump()));
  }
  Run run{.file = file.filename().string(), .about = about_of(context), .rows = {}, .failed = {}};
  run.is_one_launch = true;
  std::map<Name, int> repetitions;
  read_rows(file, document, run, [&](const Checked& entry, const Json& object) {
    Row row = read_foreign_row(entry, object);
    row.launch = repetitions[row.name]++;
    return row;
  });
  return run;
}

std::string errno_text(const fs::path& file, const char* call) {
  return fmt::format("cannot write {}: {}: {}; choose another place with --out", file.string(),
                     call, std::strerror(errno));
}

// A file beside the one it will replace; gone with its owner unless it took the other's place.
class Temporary {
 public:
  explicit Temporary(const fs::path& file)
      : file_(file), path_(file.string() + fmt::format(".{}.tmp", ::getpid())) {
    std::error_code error;
    if (file.has_parent_path()) fs::create_directories(file.parent_path(), error);
    if (error) {
      throw Failure(Exit::output,
                    fmt::format("cannot create {}: {}; choose another place with --out",
                                file.parent_path().string(), error.message()));
    }
    if (fs::is_directory(file)) {
      errno = EISDIR;
      throw Failure(Exit::output, errno_text(file, "open"));
    }
    fd_ = ::open(path_.c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0644);
    if (fd_ == -1) throw Failure(Exit::output, errno_text(file, "open"));
  }
  Temporary(const Temporary&) = delete;
  Temporary& operator=(const Temporary&) = delete;
  ~Temporary() {
    ::close(fd_);
    if (!replaced_) ::unlink(path_.c_str());
  }

  void write(std::string_view text) {
    while (!text.empty()) {
      const ssize_t written = ::write(fd_, text.data(), text.size());
      if (written == -1 && errno == EINTR) continue;
      if (written == -1) throw Failure(Exit::output, errno_text(file_, "write"));
      text.remove_prefix(static_cast<std::size_t>(written));
    }
  }

  void replace() {
    if (::fsync(fd_) == -1) throw Failure(Exit::output, errno_text(file_, "fsync"));
    if (::rename(path_.c_str(), file_.c_str()) == -1) {
      throw Failure(Exit::output, errno_text(file_, "rename"));
    }
    replaced_ = true;
  }

 private:
  fs::path file_;
  std::string path_;
  int fd_ = -1;
  bool replaced_ = false;
};

}  // namespace

Figures figures_of(const Json& entry) {
  Figures figures;
  const double unit = nanoseconds_per(entry.value("time_unit", ""));
  if (unit == 0) return figures;
  for (const char* time : {"real_time", "cpu_time"}) {
    if (entry.contains(time) && entry[time].is_number())
      figures[std::string(time) + "_ns"] = entry[time].get<double>() * unit;
  }
  for (const auto& [key, value] : entry.items()) {
    if (value.is_number() && !is_bookkeeping(key)) figures[key] = value.get<double>();
  }
  return figures;
}

std::string Run::text(const std::string& pointer) const {
  const Json::json_pointer path(pointer);
  if (!about.contains(path)) return {};
  const Json& value = about.at(path);
  if (value.is_null()) return {};
  return value.is_string() ? value.get<std::string>() : value.dump();
}

std::string read_text(const fs::path& file) {
  std::ifstream stream(file);
  std::stringstream text;
  if (!stream || fs::is_directory(file) || !(text << stream.rdbuf())) {
    // An empty file also leaves the second stream in a failed state.
    if (stream && fs::is_regular_file(file)) reject(file, "is empty");
    reject(file, fs::exists(file) ? "cannot be read" : "there is no such file");
  }
  return text.str();
}

Run read_run_file(const fs::path& file) {
  const Json document = parse(file);
  if (about_in(document).is_null()) {
    reject(file,
           "context.ipc_compare: is missing; only files that `ipc-compare run` wrote are read");
  }
  return run_of(file, document);
}

Run read_measurements(const fs::path& file) {
  const Json document = parse(file);
  return about_in(document).is_null() ? launch_of(file, document) : run_of(file, document);
}

Run join(std::vector<Run> runs) {
  Run all = std::move(runs.front());
  for (std::size_t i = 1; i < runs.size(); ++i) {
    Run& next = runs[i];
    for (const char* same : {"/machine/id", "/size", "/build"}) {
      if (next.text(same) != all.text(same)) {
        throw Failure(Exit::usage,
                      fmt::format("{} and {}: context.ipc_compare{} differs; publish them apart",
                                  all.file, next.file, same));
      }
    }
    int launches = 0;
    for (const Row& row : all.rows) launches = std::max(launches, row.launch + 1);
    for (Row& row : next.rows) {
      row.launch += launches;
      all.rows.push_back(std::move(row));
    }
    all.failed.insert(all.failed.end(), next.failed.begin(), next.failed.end());
    all.file += ", " + next.file;
  }
  return all;
}

Entries read_entries(const std::string& document) {
  Entries entries;
  Json parsed;
  try {
    parsed = Json::parse(document);
    entries.complete = parsed.contains("benchmarks") && parsed["benchmarks"].is_array();
    if (!entries.complete) entries.problem = "has no list of benchmarks";
  } catch (const nlohmann::json::exception& error) {
    entries.problem = words(error);
    // Google Benchmark writes and flushes one entry after the other, indented by four blanks.
    const std::size_t end = document.rfind("\n    }");
    if (end == std::string::npos) return entries;
    parsed = Json::parse(document.substr(0, end) + "\n    }]}", nullptr, false);
  }
  if (!parsed.is_object()) return entries;
  entries.context = parsed.value("context", Json::object());
  for (const Json& row : parsed.value("benchmarks", Json::array())) {
    if (row.is_object() && row.contains("name")) entries.rows.push_back(row);
  }
  return entries;
}

void require_writable(const fs::path& file) {
  Temporary{file};
}

void write_atomically(const fs::path& file, std::string_view text) {
  Temporary temporary(file);
  temporary.write(text);
  temporary.replace();
}

}  // namespace results
