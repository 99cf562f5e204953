#pragma once
// A whole run in a folder: checks everything, says what it will do, encodes, trains, reports.

#include <string>

#include "glimpse/models/captioner/config.h"
#include "glimpse/models/captioner/observer.h"
#include "glimpse/models/training/trainer.h"

namespace glimpse {

struct RunRequest {
  Config config;
  std::string folder;
  RunStart start = RunStart::anew;
};

struct RunOutcome {
  Ending ending = Ending::last_epoch;
  TrainingState state;
};

/// The data that a configuration names. Throws Error for captions without images or images without captions, and for
/// files that cannot be read.
Dataset open_dataset(const Config& config);

/// The configuration that a folder's run was started with. Throws Error when it cannot be read.
Config recorded_config(const std::string& folder);

/// Throws Error that names every value in which `wanted` differs from `recorded` and which would make the rest of the
/// run another than it began as.
void check_same_run(const Config& recorded, const Config& wanted);

/// `config` changed so that a run learns `images` training images with one caption each by heart, in minutes, if
/// anything can be learnt at all: no dropout, a constant rate, some hundred steps.
Config overfitting(Config config, int images);

/// Trains; nothing is written before all input has been looked at, and nothing is changed by a start that is refused
/// (goes_on in run_folder.h, Trainer::resume). Throws Error.
RunOutcome train(const RunRequest& request, Observer& observer);

}  // namespace glimpse
