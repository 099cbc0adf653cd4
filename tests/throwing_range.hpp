// A range that throws while it is read.
#pragma once

#include <cstddef>
#include <iterator>
#include <stdexcept>
#include <string>

namespace pool_test {

// 0, 1, 2... and at `bad` an exception; read once.
class Throwing {
 public:
  class Iterator {
   public:
    using value_type = int;
    using difference_type = std::ptrdiff_t;

    Iterator() = default;
    explicit Iterator(int bad) : bad_(bad) {}

    int operator*() const {
      if (at_ == bad_) throw std::domain_error("item " + std::to_string(bad_));
      return at_;
    }
    Iterator& operator++() {
      ++at_;
      return *this;
    }
    void operator++(int) { ++at_; }
    bool operator==(std::default_sentinel_t) const { return at_ == 10; }

   private:
    int at_ = 0;
    int bad_ = -1;
  };

  explicit Throwing(int bad) : bad_(bad) {}
  [[nodiscard]] Iterator begin() const { return Iterator(bad_); }
  [[nodiscard]] std::default_sentinel_t end() const { return {}; }

 private:
  int bad_;
};

}  // namespace pool_test
