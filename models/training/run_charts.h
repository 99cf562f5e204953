#pragma once
// What reports show of a run's log and configuration.

#include <limits>
#include <string>
#include <vector>

#include "glimpse/data/report.h"
#include "glimpse/models/captioner/config.h"

namespace glimpse {

/// Loss, accuracy and scores by epoch, as log.jsonl has them; `kept` is the epoch that is marked, `run` stands before
/// the names of curves. Throws Error for a file that cannot be read; lines that are none are left out.
std::vector<ReportChart> run_charts(const std::string& log, double kept = std::numeric_limits<double>::quiet_NaN(),
                                    const std::string& run = "");

/// "group.key" and value of each value of a configuration.
std::vector<ReportRow> configuration_rows(const Config& config);

}  // namespace glimpse
