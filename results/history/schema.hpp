// The tables of a store, as a list of steps from one version of the schema to the next, and the
// few places where SQLite and PostgreSQL want other words.
#pragma once

#include <soci/soci.h>

#include <string>
#include <string_view>

namespace results {

// What to say to one kind of database. Everything else is SQL that both understand.
struct Dialect {
  std::string_view identity;   // an integer key that the database counts up
  std::string_view clustered;  // ends a table that is kept in the order of its primary key
  std::string_view blob_begin, blob_end;  // around hexadecimal digits: a literal of bytes
  std::string_view hex_begin, hex_end;    // around a column of bytes: its hexadecimal digits
  std::string_view begin_reading;         // a transaction that sees one state of the store
  std::string_view begin_writing;         // a transaction; another one may write after it
  std::string_view found;                 // comes before the first table of a store is made
  std::string_view tables;                // the names of all tables where a store belongs
};

extern const Dialect sqlite_dialect;
extern const Dialect postgresql_dialect;

// Says one statement after the other; they are parted by semicolons.
void execute_each(soci::session& sql, std::string_view statements);

// The newest version, which this program reads and writes.
extern const int schema_version;

// The version of the store; 0 where there is none yet, -1 where there are tables of others.
int version_of_schema(soci::session& sql, const Dialect& dialect);

// Takes the store from version `from` to version `to`. Requires a transaction that writes.
void migrate(soci::session& sql, const Dialect& dialect, int from, int to = schema_version);

}  // namespace results
