#pragma once
// All that a run is made of, before anything is written, and what can be said of it then.

#include <string>
#include <vector>

#include "glimpse/models/training/training_run.h"

namespace glimpse {

/// An image that cannot be used, and why.
struct SkippedImage {
  std::string filename, reason;
};

struct Preparation {
  Dataset dataset;
  std::vector<SkippedImage> skipped;
  CaptionModel model;
  std::string feature_path;  ///< empty where the encoder is trained from the image on
  RunInputs inputs;

  const Config& config() const { return model.config; }
  /// Rows of the feature cache: all images in all their views.
  std::int64_t feature_rows() const;
};

/// Reads and checks the data, and makes the model. A run that `resumes` leaves out the images that it began without.
/// Throws Error, and Stopped when the observer wants to stop.
Preparation prepare(const RunRequest& request, bool resumes, Observer& observer);

/// The content of skipped.jsonl: {"filename": ..., "reason": ...} a line.
std::string skipped_list(const std::vector<SkippedImage>& skipped);

/// Bytes that the run will write at most: two checkpoints and two models while one replaces the other.
std::int64_t bytes_to_write(Preparation& p);

/// Bytes of memory that training takes, estimated from sizes: weights, gradients and moments; a batch of features three
/// times (ready, in use, gradient or keys); logits and their gradient; what a trained encoder keeps for its way back.
double memory_estimate(Preparation& p);

/// Says what will be done: data, vocabulary, encoder, parameters, memory, training.
void say_plan(Preparation& p, const std::string& folder, Observer& observer);

}  // namespace glimpse
