#pragma once
// A whole run of train_flickr: checks everything, says what it will do, encodes, trains, reports.

#include <string>

#include "glimpse/models/captioner/config.h"
#include "progress.h"

namespace glimpse::tools {

struct RunRequest {
  Config config;
  std::string folder;
  bool resume = false;     ///< go on with what the folder holds
  bool overwrite = false;  ///< replace the run that the folder holds
};

/// The configuration that a folder's run was started with. Throws Error when it cannot be read.
Config recorded_config(const std::string& folder);

/// Throws Error that names every value in which `wanted` differs from `recorded` and which would make the rest of the
/// run another than it began as.
void check_same_run(const Config& recorded, const Config& wanted);

/// Trains; nothing is written before all input has been looked at. Returns the program's exit code: 0, or 130 when the
/// user stopped it. Throws Error.
int train(const RunRequest& request, Progress& progress);

}  // namespace glimpse::tools
