#include "results/history/exchange.hpp"

#include <unistd.h>

#include <fstream>
#include <map>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include <fmt/format.h>

#include "results/history/alerts.hpp"
#include "results/history/benchmarks.hpp"
#include "results/history/runs.hpp"

namespace results {
namespace fs = std::filesystem;
namespace {

constexpr const char* format = "ipc-compare history";
constexpr int format_version = 1;

Json to_json(const RunRecord& record) {
  Json cells = Json::array();
  for (const CellRecord& cell : record.cells) {
    cells.push_back({{"row", cell.benchmark},
                     {"metric", cell.metric},
                     {"version", cell.version},
                     {"launches", cell.launches},
                     {"median", cell.median},
                     {"lower", cell.lower},
                     {"upper", cell.upper},
                     {"values", cell.values}});
  }
  return {{"content_id", record.content_id}, {"source", record.source},
          {"started", record.started},       {"size", record.size},
          {"build", record.build},           {"environment", record.environment.fields},
          {"cells", std::move(cells)}};
}

RunRecord to_record(const Json& json) {
  RunRecord record{.content_id = json.at("content_id").get<std::string>(),
                   .source = json.at("source").get<std::string>(),
                   .started = json.at("started").get<std::string>(),
                   .size = json.at("size").get<std::string>(),
                   .build = json.at("build"),
                   .environment = {}};
  json.at("environment").get_to(record.environment.fields);
  for (const Json& cell : json.at("cells")) {
    record.cells.push_back({.benchmark = cell.at("row").get<std::string>(),
                            .metric = cell.at("metric").get<std::string>(),
                            .version = cell.at("version").get<int>(),
                            .launches = cell.at("launches").get<int>(),
                            .median = cell.at("median").get<double>(),
                            .lower = cell.at("lower").get<double>(),
                            .upper = cell.at("upper").get<double>(),
                            .values = cell.at("values").get<std::vector<double>>()});
  }
  return record;
}

Json to_json(const StoredAlert& alert, const std::string& content_id) {
  return {{"run", content_id},
          {"row", alert.row},
          {"metric", alert.metric},
          {"effect", alert.effect},
          {"lower", alert.lower},
          {"upper", alert.upper},
          {"also", alert.also},
          {"state", to_text(alert.decision.state)},
          {"reason", alert.decision.reason},
          {"expires", alert.decision.expires},
          {"ceiling", alert.decision.ceiling}};
}

// All but the number of the run, which is another one in each store.
StoredAlert to_alert(const Json& json) {
  StoredAlert alert{.row = json.at("row").get<std::string>(),
                    .metric = json.at("metric").get<std::string>(),
                    .started = {},
                    .environment = {},
                    .effect = json.at("effect").get<double>(),
                    .lower = json.at("lower").get<double>(),
                    .upper = json.at("upper").get<double>(),
                    .also = json.at("also").get<int>(),
                    .decision = {}};
  alert.decision.state = alert_state(json.at("state").get<std::string>());
  json.at("reason").get_to(alert.decision.reason);
  json.at("expires").get_to(alert.decision.expires);
  json.at("ceiling").get_to(alert.decision.ceiling);
  return alert;
}

// A file that takes its name when it is whole, and is gone when it never is.
class Output {
 public:
  explicit Output(const fs::path& file)
      : file_(file), unfinished_(file.string() + fmt::format(".{}.tmp", ::getpid())) {
    stream_.open(unfinished_);
    require(stream_.good());
  }
  Output(const Output&) = delete;
  Output& operator=(const Output&) = delete;
  ~Output() {
    std::error_code gone;
    fs::remove(unfinished_, gone);
  }

  void add(const Json& line) { stream_ << line.dump() << '\n'; }

  void finish() {
    stream_.close();
    require(stream_.good());
    std::error_code error;
    fs::rename(unfinished_, file_, error);
    require(!error);
  }

 private:
  void require(bool done) const {
    if (done) return;
    throw Failure(Exit::output, fmt::format("{}: cannot be written; choose another place, or make "
                                            "room",
                                            file_.string()));
  }

  fs::path file_;
  fs::path unfinished_;
  std::ofstream stream_;
};

void require_header(const Json& line) {
  const int version = line.at("version").get<int>();
  if (line.at("format") != format) throw Failure(Exit::usage, "is no export of a history");
  if (version > format_version) {
    throw Failure(Exit::usage,
                  fmt::format("has version {} of the format, and this program knows {}", version,
                              format_version));
  }
}

void import_line(Store& store, const Json& line, Exchanged& done) {
  if (line.contains("run")) {
    const RunRecord record = to_record(line.at("run"));
    const bool is_new =
        store.write([&](Transaction& transaction) { return add_run(transaction, record); }).is_new;
    ++(is_new ? done.runs : done.known);
  } else if (line.contains("alias")) {
    const auto [old_name, name] = line.at("alias").get<std::pair<std::string, std::string>>();
    store.write([&, from = old_name, to = name](Transaction& transaction) {
      add_alias(transaction, from, to);
    });
    ++done.aliases;
  } else {
    StoredAlert alert = to_alert(line.at("alert"));
    const auto content_id = line.at("alert").at("run").get<std::string>();
    const bool is_new = store.write([&](Transaction& transaction) {
      const std::optional<int> run = find_run(transaction, content_id);
      if (!run) throw Failure(Exit::usage, "is about a run that is not there");
      alert.run = *run;
      return add_alert(transaction, alert);
    });
    if (is_new) ++done.alerts;
  }
}

}  // namespace

Exchanged export_history(Store& store, const fs::path& file) {
  Output output(file);
  output.add({{"format", format}, {"version", format_version}});
  const Exchanged done = store.read([&](Transaction& transaction) {
    Exchanged counts;
    std::map<int, std::string> content_ids;
    for (const int id : run_numbers(transaction)) {
      const RunRecord record = read_run(transaction, id).value();
      content_ids[id] = record.content_id;
      output.add({{"run", to_json(record)}});
      ++counts.runs;
    }
    for (const auto& alias : list_aliases(transaction)) {
      output.add({{"alias", {alias.first, alias.second}}});
      ++counts.aliases;
    }
    for (const StoredAlert& alert : list_alerts(transaction)) {
      output.add({{"alert", to_json(alert, content_ids.at(alert.run))}});
      ++counts.alerts;
    }
    return counts;
  });
  output.finish();
  return done;
}

Exchanged import_history(Store& store, const fs::path& file) {
  std::ifstream stream(file);
  if (!stream || fs::is_directory(file)) {
    throw Failure(Exit::usage, fmt::format("{}: cannot be read", file.string()));
  }
  Exchanged done;
  int number = 0;
  for (std::string text; std::getline(stream, text);) {
    ++number;
    try {
      const Json line = Json::parse(text);
      number == 1 ? require_header(line) : import_line(store, line, done);
    } catch (const nlohmann::json::exception&) {
      throw Failure(Exit::usage,
                    fmt::format("{}:{}: is no line of an export; the {} runs before it "
                                "are stored",
                                file.string(), number, done.runs + done.known));
    } catch (const Failure& failure) {
      if (failure.exit() != Exit::usage) throw;
      throw Failure(Exit::usage, fmt::format("{}:{}: {}", file.string(), number, failure.what()));
    }
  }
  if (number == 0) throw Failure(Exit::usage, fmt::format("{}: is empty", file.string()));
  return done;
}

}  // namespace results
