#include "results/history/store.hpp"

#include <soci/postgresql/soci-postgresql.h>
#include <soci/sqlite3/soci-sqlite3.h>

#include <algorithm>
#include <filesystem>
#include <regex>

#include <fmt/format.h>

namespace results {
namespace fs = std::filesystem;
namespace {

// What a library says, in one line, without SOCI's words around it.
std::string one_line(const std::string& text) {
  std::string line = std::regex_replace(text, std::regex("\\s+"), " ");
  line = std::regex_replace(line, std::regex("^Cannot .*(ERROR: |database\\. )"), "");
  return line.substr(0, line.find_last_not_of(" .") + 1);
}

// What stands behind the result code of SQLite (https://sqlite.org/rescode.html), and what to do.
std::string words_of_sqlite(const soci::sqlite3_soci_error& error, std::chrono::seconds patience) {
  switch (error.result() & 0xff) {  // an extended code has more in its upper bits
    case SQLITE_BUSY:
    case SQLITE_LOCKED:
      return fmt::format(
          "another process has kept it locked for {} s; try again later, or wait longer with "
          "--patience",
          patience.count());
    case SQLITE_READONLY:
    case SQLITE_PERM:
      return "may not be written; change its permissions and those of its folder, or choose "
             "another with --store";
    case SQLITE_FULL:
      return "the disk is full; make room, then repeat this";
    case SQLITE_IOERR:
      return "the disk does not take what is written, or does not give what was; see that it has "
             "room and is well, then repeat this";
    case SQLITE_CANTOPEN:
      return "cannot be opened; see that its folder exists and that both may be written";
    case SQLITE_NOTADB:
      return "is not a store but another kind of file; choose another";
    case SQLITE_CORRUPT:
      return "is damaged; import an export of it into a new store";
    default:
      return one_line(error.get_error_message());
  }
}

// The same for PostgreSQL's SQLSTATE ("PostgreSQL Error Codes", appendix A of its manual).
std::string words_of_postgresql(const soci::postgresql_soci_error& error,
                                std::chrono::seconds patience) {
  const std::string state = error.sqlstate();
  if (state == "55P03") {
    return fmt::format(
        "another session has kept it locked for {} s; try again later, or wait longer with "
        "--patience",
        patience.count());
  }
  if (state == "25006") return "the server may not be written; use its primary";
  if (state == "42501") return "this user may not do that; ask for rights on schema ipc_compare";
  if (state == "53100") return "the server's disk is full; make room, then repeat this";
  return one_line(error.get_error_message());
}

}  // namespace

Transaction::Transaction(soci::session& session, const Dialect& words, std::string_view begin)
    : sql(session), dialect(words) {
  try {
    execute_each(sql, begin);
  } catch (const soci::soci_error&) {
    roll_back();  // begun, but without the lock
    throw;
  }
}

Transaction::~Transaction() {
  if (open_) roll_back();
}

void Transaction::roll_back() {
  try {
    sql << "rollback";
  } catch (const soci::soci_error&) {
    // The database has rolled back by itself, or does so when the connection ends.
  }
}

void Transaction::commit() {
  sql << "commit";
  open_ = false;
}

Store::Store(const std::string& address, WhenMissing when_missing, std::chrono::seconds patience)
    : address_(address),
      name_(std::regex_replace(address, std::regex("(://[^:/@]*):[^@]*@"), "$1@")),
      patience_(patience) {
  constexpr std::string_view file = "sqlite:";
  try {
    if (address.starts_with(file) && address.size() > file.size()) {
      dialect_ = &sqlite_dialect;
      open_sqlite(address.substr(file.size()), when_missing);
    } else if (address.starts_with("postgresql://") || address.starts_with("postgres://")) {
      dialect_ = &postgresql_dialect;
      open_postgresql();
    } else {
      throw Failure(Exit::usage,
                    fmt::format("--store {}: is neither sqlite:PATH nor postgresql://...", name_));
    }
    require_schema(when_missing);
  } catch (const soci::soci_error& error) {
    throw failure(error);
  }
}

void Store::open_sqlite(const std::string& path, WhenMissing when_missing) {
  if (path.find('"') != std::string::npos) {
    throw Failure(Exit::usage, fmt::format("--store {}: a path may not hold quotes", name_));
  }
  if (when_missing == WhenMissing::create) {
    std::error_code error;
    if (fs::path(path).has_parent_path())
      fs::create_directories(fs::path(path).parent_path(), error);
    if (error) throw failure("its folder cannot be made: " + error.message());
  } else if (!fs::exists(path)) {
    throw failure("there is no such file; `history ingest` makes one");
  }
  sql_.open(soci::sqlite3, fmt::format("dbname=\"{}\"", path));
  sql_ << fmt::format("pragma busy_timeout = {}", std::chrono::milliseconds(patience_).count());
  sql_ << "pragma synchronous = full";
}

void Store::open_postgresql() {
  sql_.open(soci::postgresql, address_);
  sql_ << "set client_min_messages to error";
  sql_ << fmt::format("set lock_timeout to {}", std::chrono::milliseconds(patience_).count());
  sql_ << "set synchronous_commit to on";
  sql_ << "set search_path to ipc_compare";
}

void Store::require_schema(WhenMissing when_missing) {
  const int version = version_of_schema(sql_, *dialect_);
  if (version == schema_version) return;
  if (version == -1) throw failure("holds tables of another program; choose another");
  if (version > schema_version) {
    throw failure(
        fmt::format("has version {} of the schema, and this program knows {}; use a newer one",
                    version, schema_version));
  }
  if (version == 0 && when_missing == WhenMissing::refuse) {
    throw failure("holds no history yet; `history ingest` begins one");
  }
  if (version == 0) execute_each(sql_, dialect_->found);
  Transaction transaction(sql_, *dialect_, dialect_->begin_writing);
  const int now = version_of_schema(sql_, *dialect_);  // another process may have been faster
  if (now < schema_version) migrate(sql_, *dialect_, now);
  transaction.commit();
}

Failure Store::failure(const soci::soci_error& error) const {
  if (const auto* sqlite = dynamic_cast<const soci::sqlite3_soci_error*>(&error)) {
    return failure(words_of_sqlite(*sqlite, patience_));
  }
  if (const auto* postgresql = dynamic_cast<const soci::postgresql_soci_error*>(&error)) {
    return failure(words_of_postgresql(*postgresql, patience_));
  }
  return failure(one_line(error.get_error_message()));
}

Failure Store::failure(const std::string& what) const {
  return Failure(Exit::output, fmt::format("store {}: {}", name_, what));
}

}  // namespace results
