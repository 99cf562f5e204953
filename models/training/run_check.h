#pragma once
// Looks at everything that a run depends on, before hours are spent on it.

#include "glimpse/models/training/training_run.h"

namespace glimpse {

/// Says what there is and what is wrong with it: images that are missing, broken or there twice, captions and what
/// becomes of their words, pixels as the encoder gets them, memory, disk and time (from a few steps on one batch), and
/// whether the loss depends on the pictures at all. Writes nothing but what it says. Returns the number of problems.
/// Throws Error where there is nothing to train on, and Stopped when the observer wants to stop.
int check_run(const RunRequest& request, Observer& observer);

}  // namespace glimpse
