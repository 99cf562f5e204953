#pragma once
// All that a run is made of, before anything is written, and what can be said of it then.

#include <string>
#include <vector>

#include "glimpse/models/training/training_run.h"

namespace glimpse {

struct Preparation {
  Dataset dataset;
  std::vector<std::string> skipped;  ///< images that cannot be used, and why
  CaptionModel model;
  std::string feature_path;  ///< empty where the encoder is trained

  const Config& config() const { return model.config; }
};

/// Reads and checks the data, and makes the model. Throws Error.
Preparation prepare(const RunRequest& request, Observer& observer);

/// Hash of all names, splits and captions, and of the vocabulary.
std::string fingerprint(const Preparation& p);

/// Bytes that the run will write at most: two checkpoints and two models while one replaces the other.
std::int64_t bytes_to_write(Preparation& p);

/// Says what will be done: data, vocabulary, encoder, parameters, memory, training.
void say_plan(Preparation& p, const std::string& folder, Observer& observer);

}  // namespace glimpse
