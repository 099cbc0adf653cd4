// How far a run is: one line that is redrawn on a terminal, a plain line per step elsewhere.
#pragma once

#include <chrono>
#include <cstdio>
#include <string>
#include <string_view>

namespace results {

struct Step {
  double share = 0;             // of the whole, 0 to 1
  std::string what;             // is being done now
  std::chrono::seconds left{};  // estimated; negative when unknown
};

class Progress {
 public:
  explicit Progress(std::FILE* out);
  Progress(const Progress&) = delete;
  Progress& operator=(const Progress&) = delete;
  ~Progress() { clear(); }

  // Redraws the bar; does nothing where lines are plain.
  void draw(const Step& step);

  // Prints a line that stays. On a terminal the bar makes room for it.
  void line(std::string_view text);

  // Prints a line where there is no bar that says as much.
  void plain_line(std::string_view text);

  void clear();

 private:
  std::FILE* out_;
  bool terminal_;
  bool drawn_ = false;
};

// "0:07", "2:45", "1:02:00".
std::string clock_text(std::chrono::seconds time);

// The bar as one line of at most `width` characters.
std::string bar(const Step& step, std::size_t width);

}  // namespace results
