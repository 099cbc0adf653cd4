// Where the history is kept: a file of SQLite, or a database of PostgreSQL that a team shares.
// Every access is one transaction, and what a transaction has stored is there after kill -9 and
// after a loss of power: SQLite waits for the disk at each commit (https://sqlite.org/wal.html and
// https://sqlite.org/pragma.html#pragma_synchronous), PostgreSQL is asked to do the same.
#pragma once

#include <soci/soci.h>

#include <chrono>
#include <string>
#include <string_view>
#include <type_traits>

#include "results/failure.hpp"
#include "results/history/schema.hpp"

namespace results {

// What work on a store is given. It is rolled back unless it commits.
class Transaction {
 public:
  Transaction(soci::session& session, const Dialect& words, std::string_view begin);
  Transaction(const Transaction&) = delete;
  Transaction& operator=(const Transaction&) = delete;
  ~Transaction();

  void commit();

  soci::session& sql;
  const Dialect& dialect;

 private:
  void roll_back();

  bool open_ = true;
};

class Store {
 public:
  enum class WhenMissing { refuse, create };

  // `address` is sqlite:PATH or postgresql://..., as libpq reads it; `patience` is how long to wait
  // for others who write. A store of an older schema is brought up to date.
  // Throws Failure(usage) for another kind of address, Failure(output) when there is no store, or
  // one that cannot be used.
  Store(const std::string& address, WhenMissing when_missing,
        std::chrono::seconds patience = std::chrono::seconds(10));

  // Calls work(Transaction&), which sees one state of the store, or changes it as a whole.
  // Throws Failure(output) when the database fails, and what `work` throws; nothing is stored then.
  template <class Work>
  auto read(Work work) {
    return transact(dialect_->begin_reading, work);
  }
  template <class Work>
  auto write(Work work) {
    return transact(dialect_->begin_writing, work);
  }

 private:
  template <class Work>
  auto transact(std::string_view begin, Work& work) {
    try {
      Transaction transaction(sql_, *dialect_, begin);
      if constexpr (std::is_void_v<decltype(work(transaction))>) {
        work(transaction);
        transaction.commit();
      } else {
        auto result = work(transaction);
        transaction.commit();
        return result;
      }
    } catch (const soci::soci_error& error) {
      throw failure(error);
    }
  }

  void open_sqlite(const std::string& path, WhenMissing when_missing);
  void open_postgresql();
  void require_schema(WhenMissing when_missing);
  [[nodiscard]] Failure failure(const soci::soci_error& error) const;
  [[nodiscard]] Failure failure(const std::string& what) const;

  std::string address_;
  std::string name_;  // the address without a password, for people
  std::chrono::seconds patience_;
  const Dialect* dialect_ = nullptr;
  soci::session sql_;
};

}  // namespace results
