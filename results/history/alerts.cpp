#include "results/history/alerts.hpp"

#include <algorithm>
#include <array>
#include <cstdlib>
#include <map>
#include <optional>

#include <fmt/format.h>

#include "results/history/benchmarks.hpp"

namespace results {
namespace {

constexpr std::array<std::string_view, 5> states = {"open", "confirmed", "accepted", "recovered",
                                                    "invalid"};

// What all rows have in common goes by a name that no row has.
std::string row_of(const Change& change) {
  return change.series == common_mode ? "(all rows)" : change.row;
}

bool holds(const AlertDecision& decision, double effect, const std::string& today) {
  const bool in_time = decision.expires.empty() || today <= decision.expires;
  return in_time && (decision.ceiling == 0 || effect <= decision.ceiling);
}

// The alerts of a store while a scan is written down.
class Known {
 public:
  Known(Transaction& transaction, const RowHistory& history) : alerts_(list_alerts(transaction)) {
    for (std::size_t place = 0; place < history.runs.size(); ++place) {
      places_[history.runs[place]] = static_cast<std::int64_t>(place);
    }
  }

  // The alert that any of these changes is.
  [[nodiscard]] const StoredAlert* find(const std::vector<const Change*>& changes) const {
    for (const StoredAlert& alert : alerts_) {
      for (const Change* change : changes) {
        if (alert.row == row_of(*change) && alert.metric == change->metric &&
            alert.environment == change->environment &&
            std::abs(places_.at(alert.run) - change->run) <= 2) {
          return &alert;
        }
      }
    }
    return nullptr;
  }

 private:
  std::vector<StoredAlert> alerts_;
  std::map<int, std::int64_t> places_;
};

}  // namespace

std::string_view to_text(AlertState state) {
  return states[static_cast<std::size_t>(state)];
}

AlertState alert_state(std::string_view text) {
  const auto found = std::ranges::find(states, text);
  if (found == states.end()) {
    throw Failure(Exit::usage, fmt::format("{}: is no state of an alert", text));
  }
  return static_cast<AlertState>(found - states.begin());
}

std::vector<StoredAlert> list_alerts(Transaction& transaction) {
  StoredAlert alert;
  std::string state;
  std::string size;
  soci::statement rows =
      (transaction.sql.prepare
           << "select alert.id, benchmark.name, metric.name, run.id, started, hash, size, effect,"
              " lower_bound, upper_bound, also, state, reason, expires, ceiling from alert"
              " join benchmark on benchmark.id = benchmark_id join metric on metric.id = metric_id"
              " join run on run.id = run_id join environment on environment.id = environment_id"
              " order by alert.id",
       soci::into(alert.id), soci::into(alert.row), soci::into(alert.metric), soci::into(alert.run),
       soci::into(alert.started), soci::into(alert.environment), soci::into(size),
       soci::into(alert.effect), soci::into(alert.lower), soci::into(alert.upper),
       soci::into(alert.also), soci::into(state), soci::into(alert.decision.reason),
       soci::into(alert.decision.expires), soci::into(alert.decision.ceiling));
  rows.execute();
  std::vector<StoredAlert> alerts;
  while (rows.fetch()) {
    alert.environment += " " + size;  // as Series has it
    alert.decision.state = alert_state(state);
    alerts.push_back(alert);
  }
  return alerts;
}

void decide_alert(Transaction& transaction, int id, const AlertDecision& decision) {
  int there = 0;
  transaction.sql << "select count(*) from alert where id = :id", soci::use(id, "id"),
      soci::into(there);
  if (there == 0) throw Failure(Exit::usage, fmt::format("there is no alert {}", id));
  const std::string state(to_text(decision.state));
  transaction.sql << "update alert set state = :state, reason = :reason, expires = :expires,"
                     " ceiling = :ceiling where id = :id",
      soci::use(state, "state"), soci::use(decision.reason, "reason"),
      soci::use(decision.expires, "expires"), soci::use(decision.ceiling, "ceiling"),
      soci::use(id, "id");
}

bool add_alert(Transaction& transaction, const StoredAlert& alert) {
  const int benchmark = Numbers(transaction, "benchmark").add(alert.row);
  const int metric = Numbers(transaction, "metric").add(alert.metric);
  int there = 0;
  transaction.sql << "select count(*) from alert where benchmark_id = :benchmark"
                     " and metric_id = :metric and run_id = :run",
      soci::use(benchmark, "benchmark"), soci::use(metric, "metric"), soci::use(alert.run, "run"),
      soci::into(there);
  if (there != 0) return false;
  const std::string state(to_text(alert.decision.state));
  transaction.sql
      << "insert into alert (benchmark_id, metric_id, run_id, state, effect,"
         " lower_bound, upper_bound, also, reason, expires, ceiling) values (:benchmark,"
         " :metric, :run, :state, :effect, :lower, :upper, :also, :reason, :expires,"
         " :ceiling)",
      soci::use(benchmark, "benchmark"), soci::use(metric, "metric"), soci::use(alert.run, "run"),
      soci::use(state, "state"), soci::use(alert.effect, "effect"), soci::use(alert.lower, "lower"),
      soci::use(alert.upper, "upper"), soci::use(alert.also, "also"),
      soci::use(alert.decision.reason, "reason"), soci::use(alert.decision.expires, "expires"),
      soci::use(alert.decision.ceiling, "ceiling");
  return true;
}

AlertChanges record_scan(Transaction& transaction, const Scan& scan, const RowHistory& history,
                         const std::string& today) {
  const Known known(transaction, history);
  AlertChanges done;
  for (const Alert& alert : scan.alerts) {
    const Change& lead = scan.changes[alert.lead];
    std::vector<const Change*> changes{&lead};
    for (const std::size_t other : alert.also) changes.push_back(&scan.changes[other]);
    const StoredAlert* old = known.find(changes);
    const bool recovered = lead.state == ChangeState::recovered;
    if (old == nullptr) {
      if (recovered) continue;  // came and went between two scans
      add_alert(transaction, {.row = row_of(lead),
                              .metric = lead.metric,
                              .run = history.runs[static_cast<std::size_t>(lead.run)],
                              .started = {},
                              .environment = {},
                              .effect = lead.effect,
                              .lower = lead.interval.lower,
                              .upper = lead.interval.upper,
                              .also = static_cast<int>(alert.also.size()),
                              .decision = {}});
      ++done.opened;
      continue;
    }
    const AlertState state = old->decision.state;
    const bool pending = state == AlertState::open || state == AlertState::confirmed;
    if (recovered && pending) {
      decide_alert(transaction, old->id, {.state = AlertState::recovered});
      ++done.recovered;
    } else if (!recovered && state == AlertState::accepted &&
               !holds(old->decision, lead.effect, today)) {
      decide_alert(transaction, old->id,
                   {.state = AlertState::open, .reason = old->decision.reason});
      ++done.reopened;
    } else {
      ++done.known;
    }
  }
  return done;
}

}  // namespace results
