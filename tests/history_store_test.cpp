// What a store promises, the same over SQLite and over a real server of PostgreSQL.
#include <soci/postgresql/soci-postgresql.h>

#include <cfloat>
#include <chrono>
#include <cmath>
#include <cstdint>
#include <filesystem>
#include <set>
#include <stdexcept>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include <fmt/format.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "results/history/alerts.hpp"
#include "results/history/benchmarks.hpp"
#include "results/history/exchange.hpp"
#include "results/history/runs.hpp"
#include "results/history/series.hpp"
#include "results/history/store.hpp"
#include "tests/history_fixture.hpp"
#include "tests/postgres_server.hpp"

namespace {

namespace fs = std::filesystem;

using results::Added;
using results::CellRecord;
using results::Exit;
using results::Failure;
using results::RunRecord;
using results::Store;
using results::StoredRun;
using results::Transaction;
using ::testing::AllOf;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::Pair;
using ::testing::Property;
using ::testing::SizeIs;
using ::testing::ThrowsMessage;

constexpr auto create = Store::WhenMissing::create;
constexpr auto refuse = Store::WhenMissing::refuse;

RunRecord some_run(int minute, const std::string& name = "good/k:1") {
  return history::record(history::run_file(history::minute(minute), {{name, 10}, {"other", 0.1}}));
}

RunRecord read(Store& store, int id) {
  return store.read([&](Transaction& transaction) {
    return results::read_run(transaction, id).value_or(RunRecord{});
  });
}

std::set<std::string> names_in(const RunRecord& record) {
  std::set<std::string> names;
  for (const CellRecord& cell : record.cells) names.insert(cell.benchmark);
  return names;
}

const int cells_of_some_run = static_cast<int>(some_run(0).cells.size());

auto fails(Exit exit, const std::string& words) {
  return ::testing::Throws<Failure>(
      AllOf(Property(&Failure::exit, exit),
            Property(&Failure::what, AllOf(HasSubstr(words), Not(HasSubstr("\n"))))));
}

void keeps_every_bit_of_a_run(const std::string& address) {
  RunRecord record = some_run(0);
  record.cells.front().values = {0.1, 1.0 / 3, DBL_MAX, DBL_MIN, 5e-324, 0, 1e22, 123456789};
  record.cells.front().median = 1.0 / 3;
  record.cells.front().upper = DBL_MAX;
  int id = 0;
  {
    Store store(address, create);
    id = history::add(store, record).id;
  }
  Store store(address, refuse);
  const RunRecord found = read(store, id);
  EXPECT_EQ(found.content_id, record.content_id);
  EXPECT_EQ(found.source, record.source);
  EXPECT_EQ(found.started, record.started);
  EXPECT_EQ(found.size, record.size);
  EXPECT_EQ(found.build, record.build);
  EXPECT_EQ(found.environment, record.environment);
  ASSERT_THAT(found.cells, SizeIs(record.cells.size()));
  for (std::size_t i = 0; i < found.cells.size(); ++i) {
    EXPECT_EQ(found.cells[i], record.cells[i]) << record.cells[i].benchmark;
  }
}

void knows_what_it_has(const std::string& address) {
  Store store(address, create);
  const Added first = history::add(store, some_run(0));
  const Added again = history::add(store, some_run(0));
  EXPECT_TRUE(first.is_new);
  EXPECT_FALSE(again.is_new);
  EXPECT_EQ(again.id, first.id);
  EXPECT_TRUE(history::add(store, some_run(1)).is_new);
  EXPECT_THAT(store.read(results::list_runs), SizeIs(2));
}

void lists_runs_by_the_time_of_measuring(const std::string& address) {
  Store store(address, create);
  history::add(store, some_run(5));
  history::add(store, some_run(3));
  const std::vector<StoredRun> runs = store.read(results::list_runs);
  ASSERT_THAT(runs, SizeIs(2));
  EXPECT_EQ(runs[0].started, history::minute(3));
  EXPECT_EQ(runs[1].started, history::minute(5));
  EXPECT_EQ(runs[0].cells, cells_of_some_run);
  EXPECT_EQ(runs[0].commit, "0123456789ab");
}

void takes_nothing_of_work_that_fails(const std::string& address) {
  Store store(address, create);
  EXPECT_THROW(store.write([](Transaction& transaction) {
    results::add_run(transaction, some_run(0));
    throw std::logic_error("in the middle");
  }),
               std::logic_error);
  EXPECT_THAT(store.read(results::list_runs), IsEmpty());
  RunRecord twice = some_run(1);
  twice.cells.push_back(twice.cells.front());
  EXPECT_THAT([&] { history::add(store, twice); }, fails(Exit::usage, "is there twice"));
  EXPECT_THAT(store.read(results::list_runs), IsEmpty());
  EXPECT_TRUE(history::add(store, some_run(2)).is_new) << "it goes on to work";
}

void takes_runs_of_writers_at_once(const std::string& address) {
  constexpr int each = 10;
  const auto write = [&](int first) {
    Store store(address, create, std::chrono::minutes(1));  // each may be the one that makes it
    for (int i = 0; i < each; ++i) history::add(store, some_run(first + i));
  };
  std::thread other(write, 0);
  write(each);
  other.join();
  Store store(address, refuse);
  const std::vector<StoredRun> runs = store.read(results::list_runs);
  EXPECT_THAT(runs, SizeIs(2 * each));
  for (const StoredRun& run : runs) EXPECT_EQ(run.cells, cells_of_some_run);
}

void says_that_another_writes(const std::string& address) {
  Store store(address, create);
  Store second(address, refuse, std::chrono::seconds(1));
  store.write([&](Transaction& transaction) {
    results::add_run(transaction, some_run(0));
    EXPECT_THAT([&] { history::add(second, some_run(1)); }, fails(Exit::output, "locked for 1 s"));
    EXPECT_THAT(second.read(results::list_runs), IsEmpty()) << "who reads goes on";
  });
  EXPECT_TRUE(history::add(second, some_run(1)).is_new);
  EXPECT_THAT(second.read(results::list_runs), SizeIs(2));
}

void refuses_a_newer_schema(const std::string& address) {
  {
    Store store(address, create);
    history::add(store, some_run(0));
    store.write([](Transaction& transaction) {
      transaction.sql << "update ipc_compare_history set version = 99";
    });
  }
  EXPECT_THAT([&] { Store(address, create); }, fails(Exit::output, "version 99"));
}

void keeps_the_history_of_a_renamed_row(const std::string& address) {
  const auto rename = [](const std::string& from, const std::string& to) {
    return [=](Transaction& transaction) { results::rename_benchmark(transaction, from, to); };
  };
  Store store(address, create);
  const int old_run = history::add(store, some_run(0, "old")).id;
  store.write(rename("old", "new"));
  EXPECT_THAT(names_in(read(store, old_run)), ElementsAre("new", "other"));
  const int late_run = history::add(store, some_run(1, "old")).id;
  EXPECT_THAT(names_in(read(store, late_run)), ElementsAre("new", "other"));

  const int newest_run = history::add(store, some_run(2, "newest")).id;
  store.write(rename("new", "newest"));
  EXPECT_THAT(names_in(read(store, old_run)), ElementsAre("newest", "other"));
  EXPECT_THAT(names_in(read(store, newest_run)), ElementsAre("newest", "other"));
  EXPECT_THAT(store.read(results::list_aliases),
              ElementsAre(Pair("new", "newest"), Pair("old", "newest")));

  store.write(rename("newest", "old"));
  EXPECT_THAT(names_in(read(store, old_run)), ElementsAre("old", "other"));
  EXPECT_THAT([&] { store.write(rename("none", "some")); },
              fails(Exit::usage, "none: there is no"));
  EXPECT_THAT([&] { store.write(rename("old", "other")); }, fails(Exit::usage, "in one run"));
}

void drops_the_values_of_old_launches(const std::string& address) {
  Store store(address, create);
  const int second = history::add(store, some_run(2)).id;
  const int first = history::add(store, some_run(1)).id;
  const auto prune = [](int keep) {
    return [=](Transaction& transaction) { return results::prune_values(transaction, keep); };
  };
  EXPECT_EQ(store.write(prune(1)), 1);
  EXPECT_THAT(read(store, first).cells.front().values, IsEmpty());
  EXPECT_THAT(read(store, second).cells.front().values, SizeIs(1));
  EXPECT_EQ(read(store, first).cells.front().median, 10);
  EXPECT_EQ(store.write(prune(1)), 0);
}

// The first run of the change that `some_scan` tells of is at the place `run`.
results::Scan some_scan(const results::RowHistory& history, std::int64_t run, double effect,
                        results::ChangeState state = results::ChangeState::confirmed) {
  const results::Series& series = history.series.front();
  return {.changes = {{.series = 0,
                       .row = series.row,
                       .metric = series.metric,
                       .environment = series.environment,
                       .mechanism = series.mechanism,
                       .state = state,
                       .run = run,
                       .effect = effect,
                       .interval = {.lower = effect / 2, .upper = effect * 2, .coverage = 0.95},
                       .alert = true}},
          .alerts = {{.lead = 0}},
          .outliers = {},
          .symmetry = {}};
}

results::RowHistory history_of(Store& store) {
  return store.read([](Transaction& transaction) {
    return results::read_history(transaction, {"real_time_ns"},
                                 [](const std::string& row) { return row == "good/k:1"; });
  });
}

void tells_of_a_row_in_the_order_of_time(const std::string& address) {
  Store store(address, create);
  results::Json other_machine = history::run_file(history::minute(2), {{"good/k:1", 40}});
  other_machine["context"]["ipc_compare"]["machine"]["cpu"] = "Another Processor";
  results::Json version = history::run_file(history::minute(3), {{"good/k:1", 20}});
  version["benchmarks"][0]["version"] = 2;
  history::add(store, history::record(version));
  history::add(store, history::record(other_machine));
  history::add(store, some_run(1));
  const auto points = store.read([](Transaction& transaction) {
    return results::read_row(transaction, "good/k:1", "real_time_ns");
  });
  ASSERT_THAT(points, SizeIs(3));
  EXPECT_EQ(points[0].median, 10);
  EXPECT_EQ(points[1].median, 40);
  EXPECT_EQ(points[2].median, 20);
  EXPECT_NE(points[0].environment, points[1].environment);
  EXPECT_EQ(points[0].version, 1);
  EXPECT_EQ(points[2].version, 2);
  EXPECT_THAT(
      [&] {
        store.read([](Transaction& transaction) {
          return results::read_row(transaction, "none", "real_time_ns");
        });
      },
      fails(Exit::usage, "none: there is no such row"));

  const results::RowHistory history = history_of(store);
  EXPECT_THAT(history.runs, ElementsAre(points[0].run, points[1].run, points[2].run));
  ASSERT_THAT(history.series, SizeIs(2)) << "one for each environment";
  const bool first = history.series[0].points.size() == 2;
  const results::Series& series = history.series[first ? 0 : 1];
  ASSERT_THAT(series.points, SizeIs(2));
  EXPECT_EQ(series.points[0].run, 0);
  EXPECT_EQ(series.points[1].run, 2);
  EXPECT_DOUBLE_EQ(series.points[1].value, std::log(20));
  EXPECT_NE(series.points[0].segment, series.points[1].segment);
  EXPECT_EQ(series.mechanism, "1");
}

void tells_of_more_rows_than_one_query(const std::string& address) {
  Store store(address, create);
  std::vector<std::pair<std::string, double>> times;
  for (int row = 0; row < 150; ++row) times.emplace_back(fmt::format("row:{:03}", row), row + 1);
  for (int i = 0; i < 2; ++i) {
    history::add(store, history::record(history::run_file(history::minute(i), times)));
  }
  const results::RowHistory history = store.read([](Transaction& transaction) {
    return results::read_history(transaction, {"real_time_ns"},
                                 [](const std::string& row) { return row != "row:070"; });
  });
  times.erase(times.begin() + 70);
  ASSERT_THAT(history.series, SizeIs(times.size()));
  for (std::size_t i = 0; i < times.size(); ++i) {
    EXPECT_EQ(history.series[i].row, times[i].first);
    ASSERT_THAT(history.series[i].points, SizeIs(2));
    EXPECT_DOUBLE_EQ(history.series[i].points[1].value, std::log(times[i].second));
  }
}

void keeps_alerts_and_what_is_thought_of_them(const std::string& address) {
  using results::AlertChanges;
  using results::AlertState;
  Store store(address, create);
  for (int minute = 0; minute < 9; ++minute) history::add(store, some_run(minute));
  const results::RowHistory history = history_of(store);
  const auto write_down = [&](const results::Scan& scan, const std::string& today) {
    return store.write([&](Transaction& transaction) {
      return results::record_scan(transaction, scan, history, today);
    });
  };
  const auto only_alert = [&] { return store.read(results::list_alerts).at(0); };
  const auto decided = [&](const results::AlertDecision& decision) {
    const int id = only_alert().id;
    store.write(
        [&](Transaction& transaction) { results::decide_alert(transaction, id, decision); });
  };

  EXPECT_EQ(write_down(some_scan(history, 5, 0.1), "2026-06-01").opened, 1);
  EXPECT_EQ(only_alert().run, history.runs[5]);
  EXPECT_EQ(only_alert().decision.state, AlertState::open);
  EXPECT_EQ(write_down(some_scan(history, 7, 0.1), "2026-06-01").known, 1) << "it moved a little";
  ASSERT_THAT(store.read(results::list_alerts), SizeIs(1));

  const results::AlertDecision waiver{
      .state = AlertState::accepted, .reason = "known", .expires = "2026-06-30", .ceiling = 0.15};
  decided(waiver);
  EXPECT_EQ(only_alert().decision.reason, "known");
  EXPECT_EQ(write_down(some_scan(history, 5, 0.1), "2026-06-30").known, 1);
  EXPECT_EQ(write_down(some_scan(history, 5, 0.1), "2026-07-01").reopened, 1) << "it expired";
  EXPECT_EQ(only_alert().decision.state, AlertState::open);
  decided(waiver);
  EXPECT_EQ(write_down(some_scan(history, 5, 0.2), "2026-06-01").reopened, 1)
      << "above its ceiling";

  const results::Scan recovered = some_scan(history, 5, 0.1, results::ChangeState::recovered);
  EXPECT_EQ(write_down(recovered, "2026-06-01").recovered, 1);
  EXPECT_EQ(only_alert().decision.state, AlertState::recovered);
  decided({.state = AlertState::invalid, .reason = "a noisy neighbour"});
  EXPECT_EQ(write_down(some_scan(history, 5, 0.1), "2026-06-01").known, 1) << "it stays closed";
  EXPECT_EQ(only_alert().decision.state, AlertState::invalid);
  EXPECT_EQ(write_down(some_scan(history, 1, 0.1), "2026-06-01").opened, 1) << "another one";
  EXPECT_THAT([&] { store.write([](Transaction& t) { results::decide_alert(t, 77, {}); }); },
              fails(Exit::usage, "no alert 77"));
}

void is_the_same_after_export_and_import(const std::string& address) {
  const Scratch scratch;
  const fs::path first = scratch.path() / "first.jsonl", second = scratch.path() / "second.jsonl";
  Store store(address, create);
  for (int minute = 8; minute >= 0; --minute) history::add(store, some_run(minute));
  RunRecord exact = some_run(9);
  exact.cells.front().median = 1.0 / 3;
  exact.cells.front().values = {0.1, DBL_MAX, 5e-324};
  history::add(store, exact);
  history::add(store, some_run(20, "old"));
  store.write([&](Transaction& transaction) {
    results::rename_benchmark(transaction, "old", "new");
    results::prune_values(transaction, 5);
  });
  const results::RowHistory history = history_of(store);
  store.write([&](Transaction& transaction) {
    results::record_scan(transaction, some_scan(history, 5, 0.1), history, "2026-06-01");
    results::decide_alert(transaction, 1,
                          {.state = results::AlertState::accepted,
                           .reason = "ä \"quoted\"",
                           .expires = "2026-12-31",
                           .ceiling = 0.1});
  });
  const results::Exchanged out = results::export_history(store, first);
  EXPECT_EQ(out.runs, 11);
  EXPECT_EQ(out.aliases, 1);
  EXPECT_EQ(out.alerts, 1);
  EXPECT_THAT(scratch.names(), ElementsAre("first.jsonl"));

  Store copy("sqlite:" + (scratch.path() / "copy.db").string(), create);
  EXPECT_EQ(results::import_history(copy, first).runs, 11);
  results::export_history(copy, second);
  EXPECT_EQ(::read(first), ::read(second));
  const results::Exchanged again = results::import_history(store, second);
  EXPECT_EQ(again.runs, 0);
  EXPECT_EQ(again.known, 11);
  EXPECT_EQ(again.alerts, 0);
  results::export_history(store, second);
  EXPECT_EQ(::read(first), ::read(second)) << "a second import adds nothing";
}

void brings_an_older_schema_up_to_date(const std::string& address) {
  {
    Store store(address, create);
    history::add(store, some_run(0));
    // What version 1 did not have.
    store.write([](Transaction& transaction) {
      transaction.sql << "drop table alert";
      transaction.sql << "update ipc_compare_history set version = 1";
    });
  }
  Store store(address, refuse);
  EXPECT_THAT(store.read(results::list_runs), SizeIs(1));
  EXPECT_THAT(store.read(results::list_alerts), IsEmpty());
  EXPECT_EQ(store.read([](Transaction& transaction) {
    return results::version_of_schema(transaction.sql, transaction.dialect);
  }),
            results::schema_version);
}

struct Promise {
  const char* name;
  void (*check)(const std::string& address);
};

constexpr Promise promises[] = {
    {"keeps_every_bit_of_a_run", keeps_every_bit_of_a_run},
    {"knows_what_it_has", knows_what_it_has},
    {"lists_runs_by_the_time_of_measuring", lists_runs_by_the_time_of_measuring},
    {"takes_nothing_of_work_that_fails", takes_nothing_of_work_that_fails},
    {"takes_runs_of_writers_at_once", takes_runs_of_writers_at_once},
    {"says_that_another_writes", says_that_another_writes},
    {"refuses_a_newer_schema", refuses_a_newer_schema},
    {"keeps_the_history_of_a_renamed_row", keeps_the_history_of_a_renamed_row},
    {"drops_the_values_of_old_launches", drops_the_values_of_old_launches},
    {"tells_of_a_row_in_the_order_of_time", tells_of_a_row_in_the_order_of_time},
    {"tells_of_more_rows_than_one_query", tells_of_more_rows_than_one_query},
    {"keeps_alerts_and_what_is_thought_of_them", keeps_alerts_and_what_is_thought_of_them},
    {"is_the_same_after_export_and_import", is_the_same_after_export_and_import},
    {"brings_an_older_schema_up_to_date", brings_an_older_schema_up_to_date},
};

class Sqlite : public testing::TestWithParam<Promise> {};

TEST_P(Sqlite, store) {
  const Scratch scratch;
  GetParam().check("sqlite:" + (scratch.path() / "a folder=with/blanks in.db").string());
}
INSTANTIATE_TEST_SUITE_P(Promises, Sqlite, testing::ValuesIn(promises),
                         [](const auto& promise) { return promise.param.name; });

// One case: the server takes longer to start than the rest.
TEST(Postgresql, store) {
  if (PostgresServer::programs().empty()) GTEST_SKIP() << "PostgreSQL is not installed";
  const PostgresServer server;
  for (const Promise& promise : promises) {
    SCOPED_TRACE(promise.name);
    soci::session(soci::postgresql, server.address()) << "create database " << promise.name;
    promise.check(server.address(promise.name));
  }
}

}  // namespace
