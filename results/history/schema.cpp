#include "results/history/schema.hpp"

#include <algorithm>
#include <array>
#include <vector>

#include <fmt/format.h>

namespace results {
namespace {

// One step, as statements; {identity} and {clustered} are words of the dialect.
using Step = std::vector<std::string_view>;

// A cell is found by what is asked for most, a series; the index finds the cells of one run.
const std::array<Step, 2> steps = {
    Step{
        "create table ipc_compare_history (version integer not null)",
        "insert into ipc_compare_history (version) values (0)",
        "create table environment (id {identity}, hash text not null unique, fields text not null)",
        "create table run (id {identity}, content_id text not null unique, source text not null,"
        " started text not null, size text not null, commit_id text not null, build text not null,"
        " environment_id integer not null references environment)",
        "create table benchmark (id {identity}, name text not null unique)",
        "create table alias (old_name text primary key,"
        " benchmark_id integer not null references benchmark)",
        "create table metric (id {identity}, name text not null unique)",
        "create table cell (benchmark_id integer not null, metric_id integer not null,"
        " run_id integer not null, version integer not null, launches integer not null,"
        " median double precision not null, lower_bound double precision not null,"
        " upper_bound double precision not null,"
        " primary key (benchmark_id, metric_id, run_id)){clustered}",
        "create index cell_of_run on cell (run_id)",
        "create table sample (run_id integer not null, benchmark_id integer not null,"
        " metric_id integer not null, launch_values bytea not null,"
        " primary key (run_id, benchmark_id, metric_id)){clustered}",
    },
    Step{
        "create table alert (id {identity}, benchmark_id integer not null references benchmark,"
        " metric_id integer not null references metric, run_id integer not null references run,"
        " state text not null, effect double precision not null,"
        " lower_bound double precision not null, upper_bound double precision not null,"
        " also integer not null, reason text not null, expires text not null,"
        " ceiling double precision not null, unique (benchmark_id, metric_id, run_id))",
    }};

}  // namespace

const Dialect sqlite_dialect = {
    .identity = "integer primary key",
    .clustered = " without rowid",
    .blob_begin = "x'",
    .blob_end = "'",
    .hex_begin = "hex(",
    .hex_end = ")",
    .begin_reading = "begin",
    .begin_writing = "begin immediate",
    // Readers go on beside the one who writes. It lasts, and is refused inside a transaction.
    .found = "pragma journal_mode = wal",
    .tables = "select name from sqlite_master where type = 'table'",
};

const Dialect postgresql_dialect = {
    .identity = "integer generated always as identity primary key",
    .clustered = "",
    .blob_begin = "'\\x",
    .blob_end = "'",
    .hex_begin = "encode(",
    .hex_end = ", 'hex')",
    .begin_reading = "begin isolation level repeatable read read only",
    .begin_writing = "begin; select pg_advisory_xact_lock(hashtext('ipc_compare'))",
    .found =
        "begin; select pg_advisory_xact_lock(hashtext('ipc_compare'));"
        "create schema if not exists ipc_compare; commit",
    .tables = "select tablename from pg_tables where schemaname = 'ipc_compare'",
};

void execute_each(soci::session& sql, std::string_view statements) {
  while (!statements.empty()) {
    const std::size_t end = std::min(statements.find(';'), statements.size());
    sql << statements.substr(0, end);
    statements.remove_prefix(std::min(end + 1, statements.size()));
  }
}

const int schema_version = static_cast<int>(steps.size());

int version_of_schema(soci::session& sql, const Dialect& dialect) {
  std::string table;
  std::vector<std::string> tables;
  soci::statement list = (sql.prepare << dialect.tables, soci::into(table));
  list.execute();
  while (list.fetch()) tables.push_back(table);
  if (std::ranges::find(tables, "ipc_compare_history") == tables.end()) {
    return tables.empty() ? 0 : -1;
  }
  int version = -1;
  sql << "select version from ipc_compare_history", soci::into(version);
  return version;
}

void migrate(soci::session& sql, const Dialect& dialect, int from, int to) {
  for (int version = from; version < to; ++version) {
    for (const std::string_view statement : steps[static_cast<std::size_t>(version)]) {
      sql << fmt::format(fmt::runtime(statement), fmt::arg("identity", dialect.identity),
                         fmt::arg("clustered", dialect.clustered));
    }
  }
  sql << "update ipc_compare_history set version = :version", soci::use(to, "version");
}

}  // namespace results
