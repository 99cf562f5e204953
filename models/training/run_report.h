#pragma once
// What remains when a run is over: its best model scored with a beam, and report.html.

#include "glimpse/data/feature_cache.h"
#include "glimpse/models/captioner/observer.h"
#include "glimpse/models/training/checkpoint.h"
#include "glimpse/models/training/run_folder.h"
#include "glimpse/models/training/validation.h"

namespace glimpse {

/// Captions the validation split with the run's best model on `device`, says the scores, and writes folder.report().
/// `cache`: of what is frozen of the encoder, or null.
void write_run_report(const RunFolder& folder, const Dataset& dataset, const FeatureCache* cache,
                      const TrainingState& state, Device device, Observer& observer);

}  // namespace glimpse
