// The benchmarks of a store: each has a name, and may have had others before.
#pragma once

#include <map>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "results/history/store.hpp"

namespace results {

// Which numbers stand for names in a table of the store (`benchmark` or `metric`).
class Numbers {
 public:
  // Reads the table; of benchmarks also the names that were given up.
  Numbers(Transaction& transaction, std::string_view table);

  // The number of a name, which is added when it is not there. Requires a transaction that writes.
  int add(const std::string& name);

  // The number of a name; 0 when it is not there.
  [[nodiscard]] int find(const std::string& name) const;

 private:
  Transaction& transaction_;
  std::string table_;
  std::map<std::string, int> numbers_;
};

// From now on `new_name` is what `old_name` was: it has the history of both, and runs that are
// added with either name go on with it. Requires a transaction that writes. Throws Failure(usage)
// when there is no `old_name`, or when a run holds both.
void rename_benchmark(Transaction& transaction, const std::string& old_name,
                      const std::string& new_name);

// The same, but `old_name` need not have been measured before it was given up.
void add_alias(Transaction& transaction, const std::string& old_name, const std::string& new_name);

// Pairs of a name that was given up and the name in its place, sorted.
std::vector<std::pair<std::string, std::string>> list_aliases(Transaction& transaction);

}  // namespace results
