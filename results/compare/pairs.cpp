#include "results/compare/pairs.hpp"

#include <algorithm>
#include <array>
#include <cmath>
#include <cstdlib>
#include <numeric>

#include <fmt/format.h>

#include "results/failure.hpp"
#include "results/statistics/median.hpp"

namespace results {
namespace {

using Clock = std::chrono::steady_clock;

// Each launch gets an environment of another size, which moves the stack: what an address happens
// to cost becomes noise, where it would be a bias (Mytkowicz et al., ASPLOS 2009).
constexpr const char* padding_name = "IPC_COMPARE_PADDING";
constexpr std::size_t padding_bytes_max = 4096;

// The order of a block's launches: true is head.
constexpr std::array<std::array<bool, 4>, 2> orders = {
    {{false, true, true, false}, {true, false, false, true}}};

constexpr std::size_t launches_per_block = orders[0].size();

}  // namespace

PairMeasurement::PairMeasurement(std::vector<Subject> subjects, PairsOptions options,
                                 StopSignals& stop, Progress& progress)
    : subjects_(std::move(subjects)),
      options_(std::move(options)),
      stop_(stop),
      progress_(progress),
      random_(options_.seed) {
  for (Subject& subject : subjects_) {
    for (Benchmark* side : {&subject.base, &subject.head}) {
      // Without a unit behind the number, which releases before 1.8 do not know.
      side->arguments.push_back(fmt::format("--benchmark_min_time={}", options_.min_time_s));
      side->arguments.push_back(fmt::format("--benchmark_repetitions={}", options_.repetitions));
    }
  }
}

Paired PairMeasurement::measure(const std::vector<std::size_t>& rows, int blocks,
                                Clock::time_point deadline, const std::string& what) {
  Paired result;
  result.rows.resize(subjects_.size());
  result.failures.resize(subjects_.size());
  step_ = {.share = 0, .what = what, .left = std::chrono::seconds(-1)};
  started_ = Clock::now();
  launches_done_ = 0;
  std::vector<Block> measured;
  std::vector<std::string> reasons;
  const auto good = [&] { return std::ranges::count(reasons, std::string()); };
  while (good() < blocks) {
    launches_wanted_ = launches_per_block * rows.size() *
                       (measured.size() + static_cast<std::size_t>(blocks - good()));
    const auto per_block =
        (Clock::now() - started_) / std::max<std::int64_t>(std::ssize(measured), 1);
    if (Clock::now() + per_block > deadline) {
      result.complete = false;
      break;
    }
    measured.push_back(measure_block(rows, result));
    std::vector<Watch> watches;
    for (const Block& block : measured) watches.push_back(block.watch);
    // Where all of them might be thrown out, none is: this would not end on a machine that is never
    // quiet.
    reasons = options_.discarded_share_max < 1 ? disturbances(watches)
                                               : std::vector<std::string>(measured.size());
    const auto discarded = static_cast<double>(reasons.size()) - static_cast<double>(good());
    if (discarded > std::max(1.0, options_.discarded_share_max * (blocks + discarded))) {
      result.unfit = true;
      break;
    }
  }
  int counted = 0;
  for (std::size_t i = 0; i < measured.size(); ++i) {
    if (!reasons[i].empty()) {
      result.discarded.push_back(reasons[i]);
      continue;
    }
    // Later blocks may have told that a block was as usual after all: then there is one too many.
    if (counted++ == blocks) break;
    for (const std::size_t row : rows) {
      for (const auto& [metric, pair] : measured[i].rows[row])
        result.rows[row][metric].push_back(pair);
    }
  }
  progress_.clear();
  return result;
}

PairMeasurement::Block PairMeasurement::measure_block(const std::vector<std::size_t>& rows,
                                                      Paired& result) {
  Block block;
  block.rows.resize(subjects_.size());
  std::vector<std::size_t> order = rows;
  for (std::size_t i = order.size(); i > 1; --i) std::swap(order[i - 1], order[random_() % i]);
  const MachineLoad before = MachineLoad::now();
  const Controls controls = measure_controls();
  for (const std::size_t row : order) {
    const Subject& subject = subjects_[row];
    std::map<std::string, Pair, std::less<>> sums;
    for (const bool head : orders[random_() % orders.size()]) {
      if (!result.failures[row].empty()) break;
      const auto figures = measure_launch(head ? subject.head : subject.base, result.failures[row]);
      ++launches_done_;
      if (!figures) break;
      for (const auto& [metric, figure] : *figures)
        (head ? sums[metric].head : sums[metric].base) += std::log(figure) / 2;
    }
    if (result.failures[row].empty()) block.rows[row] = std::move(sums);
  }
  block.watch = watched(before, MachineLoad::now(), controls);
  return block;
}

std::optional<Figures> PairMeasurement::measure_launch(const Benchmark& benchmark,
                                                       std::string& failure) {
  pad_environment();
  const Launch done = launch(
      benchmark, stop_, options_.silence, [] {}, [&] { draw_step(); });
  if (done.interrupted || stop_.requested()) {
    progress_.clear();
    throw Failure(Exit::interrupted, "interrupted; no verdict");
  }
  if (!done.failures.empty()) {
    failure = done.failures.front();
    return std::nullopt;
  }
  std::map<std::string, std::vector<double>> values;
  for (const Json& entry : done.rows) {
    if (entry.value("run_type", "iteration") != "iteration") continue;
    for (const auto& [figure, value] : figures_of(entry)) values[figure].push_back(value);
  }
  Figures figures;
  for (const std::string& metric : options_.metrics) {
    const auto found = values.find(metric);
    if (found == values.end()) continue;
    // The first repetition warms up.
    if (found->second.size() > 1) found->second.erase(found->second.begin());
    const double figure = median(found->second);
    if (figure > 0 && std::isfinite(figure)) figures[metric] = figure;
  }
  if (figures.empty()) {
    failure =
        fmt::format("{} reports none of the metrics asked for, above zero", benchmark.rows.front());
    return std::nullopt;
  }
  return figures;
}

void PairMeasurement::pad_environment() {
  ::setenv(padding_name, std::string(random_() % padding_bytes_max, 'x').c_str(), 1);
}

void PairMeasurement::draw_step() {
  const double share = static_cast<double>(launches_done_) /
                       static_cast<double>(std::max(launches_wanted_, std::size_t{1}));
  step_.share = share;
  if (share > 0) {
    step_.left =
        std::chrono::round<std::chrono::seconds>((Clock::now() - started_) * ((1 - share) / share));
  }
  progress_.draw(step_);
}

}  // namespace results
