// Alerts in a store: what a scan found, and what people said about it.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "results/history/scan.hpp"
#include "results/history/series.hpp"
#include "results/history/store.hpp"

namespace results {

enum class AlertState {
  open,       // a scan found it
  confirmed,  // fresh pairs of both builds showed it
  accepted,   // tolerated up to a ceiling and a day
  recovered,  // the level has come back
  invalid,    // it was the measuring
};

// "open", ... and back. Throws Failure(usage) for another word.
std::string_view to_text(AlertState state);
AlertState alert_state(std::string_view text);

// What is thought of an alert, and why.
struct AlertDecision {
  AlertState state = AlertState::open;
  std::string reason = {};
  std::string expires = {};  // the last day, 2026-12-31, on which `accepted` holds; empty: no end
  double ceiling = 0;        // the effect up to which it holds; 0: any
};

struct StoredAlert {
  int id = 0;
  std::string row;
  std::string metric;
  int run = 0;  // the first at the new level
  std::string started;
  std::string environment;
  double effect = 0;  // ln(new level / old level), above 0 is worse; see scan.hpp
  double lower = 0;
  double upper = 0;
  int also = 0;  // rows of the same mechanism that changed at the same run
  AlertDecision decision;
};

// By number.
std::vector<StoredAlert> list_alerts(Transaction& transaction);

// Throws Failure(usage) when there is no such alert.
void decide_alert(Transaction& transaction, int id, const AlertDecision& decision);

// What a scan did to the alerts that were there.
struct AlertChanges {
  int opened = 0;
  int reopened = 0;   // accepted, but the day is over or the effect above the ceiling
  int recovered = 0;  // open or confirmed before
  int known = 0;      // as they were
};

// Writes down what `scan` found in `history`. What began within two runs of an alert of the same
// row, metric and environment is that alert. `today` is a day such as 2026-12-31.
AlertChanges record_scan(Transaction& transaction, const Scan& scan, const RowHistory& history,
                         const std::string& today);

// Adds an alert with what was decided on it, unless there is one of this row, metric and run.
// Returns whether it was added.
bool add_alert(Transaction& transaction, const StoredAlert& alert);

}  // namespace results
