// What a store promises, the same over SQLite and over a real server of PostgreSQL.
#include <soci/postgresql/soci-postgresql.h>

#include <cfloat>
#include <chrono>
#include <set>
#include <stdexcept>
#include <string>
#include <thread>
#include <vector>

#include <fmt/format.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "results/history/benchmarks.hpp"
#include "results/history/runs.hpp"
#include "results/history/store.hpp"
#include "tests/history_fixture.hpp"
#include "tests/postgres_server.hpp"

namespace {

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
    Store store(address, create);  // each may be the one that makes it
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
