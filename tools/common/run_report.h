#pragma once
// What remains when a run is over: its best model scored with a beam, and report.html.

#include "examples.h"
#include "glimpse/data/feature_cache.h"
#include "glimpse/models/training/checkpoint.h"
#include "progress.h"
#include "run_folder.h"

namespace glimpse::tools {

/// Captions the validation split with the run's best model, prints the scores, and writes folder.report(). `cache`: of
/// a frozen encoder, or null.
void write_run_report(const RunFolder& folder, const Examples& examples, const FeatureCache* cache,
                      const TrainingState& state, Progress& progress);

}  // namespace glimpse::tools
