#include "results/history/benchmarks.hpp"

#include <algorithm>

#include <fmt/format.h>

#include "results/failure.hpp"

namespace results {
namespace {

constexpr std::string_view benchmark_table = "benchmark";

// Gives the benchmark `number` also what was stored for `other`, which is gone then.
void merge(Transaction& transaction, int number, int other) {
  int shared = 0;
  transaction.sql << "select count(*) from cell a join cell b on b.benchmark_id = :other"
                     " and b.metric_id = a.metric_id and b.run_id = a.run_id"
                     " where a.benchmark_id = :number",
      soci::use(other, "other"), soci::use(number, "number"), soci::into(shared);
  if (shared != 0) {
    throw Failure(Exit::usage, "both names were measured in one run; they are two benchmarks");
  }
  for (const char* table : {"cell", "sample", "alert", "alias"}) {
    transaction.sql << fmt::format(
        "update {} set benchmark_id = :number where benchmark_id = :other", table),
        soci::use(number, "number"), soci::use(other, "other");
  }
  transaction.sql << "delete from benchmark where id = :other", soci::use(other, "other");
}

}  // namespace

Numbers::Numbers(Transaction& transaction, std::string_view table)
    : transaction_(transaction), table_(table) {
  std::string query = fmt::format("select id, name from {}", table);
  if (table == benchmark_table) query += " union all select benchmark_id, old_name from alias";
  int id = 0;
  std::string name;
  soci::statement rows = (transaction.sql.prepare << query, soci::into(id), soci::into(name));
  rows.execute();
  while (rows.fetch()) numbers_.emplace(name, id);
}

int Numbers::add(const std::string& name) {
  const auto [entry, is_new] = numbers_.try_emplace(name, 0);
  if (is_new) {
    transaction_.sql << fmt::format("insert into {} (name) values (:name) returning id", table_),
        soci::use(name, "name"), soci::into(entry->second);
  }
  return entry->second;
}

int Numbers::find(const std::string& name) const {
  const auto found = numbers_.find(name);
  return found == numbers_.end() ? 0 : found->second;
}

void rename_benchmark(Transaction& transaction, const std::string& old_name,
                      const std::string& new_name) {
  const Numbers benchmarks(transaction, benchmark_table);
  const int number = benchmarks.find(old_name);
  const int other = benchmarks.find(new_name);
  if (number == 0) {
    throw Failure(Exit::usage,
                  fmt::format("{}: there is no such benchmark in the store", old_name));
  }
  if (other != 0 && other != number) merge(transaction, number, other);
  std::string given_up;
  transaction.sql << "select name from benchmark where id = :number", soci::use(number, "number"),
      soci::into(given_up);
  if (given_up == new_name) return;
  transaction.sql << "delete from alias where old_name = :name", soci::use(new_name, "name");
  transaction.sql << "insert into alias (old_name, benchmark_id) values (:name, :number)",
      soci::use(given_up, "name"), soci::use(number, "number");
  transaction.sql << "update benchmark set name = :name where id = :number",
      soci::use(new_name, "name"), soci::use(number, "number");
}

void add_alias(Transaction& transaction, const std::string& old_name, const std::string& new_name) {
  Numbers benchmarks(transaction, benchmark_table);
  const int number = benchmarks.add(new_name);
  const int other = benchmarks.find(old_name);
  if (other == number) return;
  if (other != 0) return rename_benchmark(transaction, old_name, new_name);
  transaction.sql << "insert into alias (old_name, benchmark_id) values (:name, :number)",
      soci::use(old_name, "name"), soci::use(number, "number");
}

std::vector<std::pair<std::string, std::string>> list_aliases(Transaction& transaction) {
  std::vector<std::pair<std::string, std::string>> aliases;
  std::string old_name;
  std::string name;
  soci::statement rows =
      (transaction.sql.prepare << "select old_name, name from alias"
                                  " join benchmark on benchmark.id = alias.benchmark_id",
       soci::into(old_name), soci::into(name));
  rows.execute();
  while (rows.fetch()) aliases.emplace_back(old_name, name);
  std::ranges::sort(aliases);
  return aliases;
}

}  // namespace results
