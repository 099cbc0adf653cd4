#include "results/gate/calibration.hpp"

#include <algorithm>
#include <cmath>
#include <fstream>
#include <random>

#include <fmt/format.h>

#include "results/compare/judge.hpp"
#include "results/failure.hpp"
#include "results/measure/machine.hpp"
#include "results/statistics/hodges_lehmann.hpp"
#include "results/statistics/minimum_detectable_effect.hpp"

namespace results {
namespace {

constexpr int calibration_schema = 1;
constexpr int estimates = 1000;
constexpr double quantile = 0.99;

// Under the hypothesis that both sides are equal a difference could as well have had the other
// sign.
double floor_of(const std::vector<double>& differences, std::size_t gate_pairs,
                std::mt19937_64& random) {
  std::vector<double> found;
  std::vector<double> drawn(gate_pairs);
  for (int estimate = 0; estimate < estimates; ++estimate) {
    for (double& each : drawn) {
      const std::uint64_t bits = random();
      each = differences[(bits >> 1) % differences.size()] * ((bits & 1) != 0 ? 1 : -1);
    }
    found.push_back(std::abs(hodges_lehmann(drawn).estimate));
  }
  const auto at = found.begin() + static_cast<std::ptrdiff_t>(quantile * estimates);
  std::ranges::nth_element(found, at);
  return *at;
}

}  // namespace

double Calibration::floor(const std::string& row, const std::string& metric) const {
  const auto found = rows.find(row);
  if (found == rows.end() || !found->second.contains(metric)) return 0;
  return found->second.at(metric).floor;
}

Calibration calibrate(const std::vector<std::string>& names, const Paired& paired,
                      std::size_t gate_pairs, std::uint64_t seed) {
  std::mt19937_64 random(seed);
  Calibration calibration;
  std::map<std::string, double> widest;  // by scenario and metric
  const auto family = [](const std::string& row, const std::string& metric) {
    return parse_name(row).scenario + " " + metric;
  };
  for (std::size_t row = 0; row < names.size(); ++row) {
    for (const auto& [metric, pairs] : paired.rows[row]) {
      const std::vector<double> differences = effects(metric, pairs);
      const Noise noise{.floor = floor_of(differences, gate_pairs, random),
                        .pair_sigma = robust_sigma(differences),
                        .pairs = pairs.size()};
      calibration.rows[names[row]][metric] = noise;
      double& of_family = widest[family(names[row], metric)];
      of_family = std::max(of_family, noise.floor);
    }
  }
  for (auto& [row, metrics] : calibration.rows) {
    for (auto& [metric, noise] : metrics) {
      if (noise.pairs < pairs_min) noise.floor = widest[family(row, metric)];
    }
  }
  return calibration;
}

EnvironmentKey this_machine() {
  return environment_key({{"machine", machine()}});
}

void write_calibration(const std::filesystem::path& file, const Calibration& calibration) {
  Json rows = Json::object();
  for (const auto& [row, metrics] : calibration.rows) {
    for (const auto& [metric, noise] : metrics) {
      rows[row][metric] = {
          {"floor", noise.floor}, {"pair_sigma", noise.pair_sigma}, {"pairs", noise.pairs}};
    }
  }
  const Json document = {{"ipc_compare_calibration", calibration_schema},
                         {"environment", calibration.environment.fields},
                         {"rows", rows}};
  write_atomically(file, document.dump(1) + "\n");
}

Calibration read_calibration(const std::filesystem::path& file) {
  const auto refuse = [&](const std::string& what) {
    return Failure(Exit::usage, fmt::format("{}: {}; write it with `ipc-compare calibrate`",
                                            file.string(), what));
  };
  std::ifstream stream(file);
  if (!stream) throw refuse("cannot be read");
  const Json document = Json::parse(stream, nullptr, false);
  if (!document.is_object() || !document.contains("ipc_compare_calibration")) {
    throw refuse("is no calibration");
  }
  if (document["ipc_compare_calibration"] != calibration_schema) {
    throw refuse(fmt::format("has schema {}, this program reads {}",
                             document["ipc_compare_calibration"].dump(), calibration_schema));
  }
  Calibration calibration;
  try {
    document.at("environment").get_to(calibration.environment.fields);
    for (const auto& [row, metrics] : document.at("rows").items()) {
      for (const auto& [metric, noise] : metrics.items()) {
        const Noise read{.floor = noise.at("floor").get<double>(),
                         .pair_sigma = noise.at("pair_sigma").get<double>(),
                         .pairs = noise.at("pairs").get<std::size_t>()};
        if (!(read.floor >= 0) || !std::isfinite(read.floor)) {
          throw refuse(
              fmt::format("the floor of {} is {}, and no effect is below 0", row, read.floor));
        }
        calibration.rows[row][metric] = read;
      }
    }
  } catch (const nlohmann::json::exception& error) {
    throw refuse("is damaged");
  }
  return calibration;
}

}  // namespace results
