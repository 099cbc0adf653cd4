#include "results/measure/progress.hpp"

#include <sys/ioctl.h>
#include <unistd.h>

#include <algorithm>
#include <cstdlib>

#include <fmt/format.h>

namespace results {
namespace {

std::size_t terminal_width(std::FILE* out) {
  winsize size{};
  const bool known = ::ioctl(::fileno(out), TIOCGWINSZ, &size) == 0 && size.ws_col > 0;
  return known ? size.ws_col : 80;
}

}  // namespace

std::string clock_text(std::chrono::seconds time) {
  const auto all = time.count();
  if (all >= 3600) return fmt::format("{}:{:02}:{:02}", all / 3600, all / 60 % 60, all % 60);
  return fmt::format("{}:{:02}", all / 60, all % 60);
}

std::string bar(const Step& step, std::size_t width) {
  constexpr std::size_t cells = 24;
  const double share = std::clamp(step.share, 0.0, 1.0);
  const auto full = static_cast<std::size_t>(share * static_cast<double>(cells));
  std::string text = fmt::format("[{}{}] {:3.0f} %  {:>7} left  {}", std::string(full, '#'),
                                 std::string(cells - full, '.'), share * 100,
                                 step.left.count() < 0 ? "?" : clock_text(step.left), step.what);
  if (text.size() > width) text.resize(width);
  return text;
}

Progress::Progress(std::FILE* out) : out_(out), terminal_(::isatty(::fileno(out)) == 1) {
  const char* kind = std::getenv("TERM");
  if (kind != nullptr && std::string_view(kind) == "dumb") terminal_ = false;
}

void Progress::draw(const Step& step) {
  if (!terminal_) return;
  // The last column stays free: some terminals wrap as soon as it is written.
  fmt::print(out_, "\r\033[K{}", bar(step, terminal_width(out_) - 1));
  std::fflush(out_);
  drawn_ = true;
}

void Progress::line(std::string_view text) {
  clear();
  fmt::print(out_, "{}\n", text);
  std::fflush(out_);
}

void Progress::plain_line(std::string_view text) {
  if (!terminal_) line(text);
}

void Progress::clear() {
  if (!drawn_) return;
  fmt::print(out_, "\r\033[K");
  std::fflush(out_);
  drawn_ = false;
}

}  // namespace results
