#pragma once
// The page that evaluate writes.

#include "evaluation.h"
#include "glimpse/data/report.h"

namespace glimpse::tools {

/// Scores, and the best, worst and random captions with the attention that they were decoded with. `photographs`: where
/// they are read, or null for cards without. Throws Error for one that cannot be read.
Report evaluation_report(const Evaluation& evaluation, const Dataset* photographs);

}  // namespace glimpse::tools
