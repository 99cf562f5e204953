#pragma once
// Two runs side by side, from what their folders hold; needs neither their models nor their data.

#include <functional>
#include <string>

#include "glimpse/data/captions.h"
#include "glimpse/data/report.h"
#include "glimpse/models/training/run_folder.h"

namespace glimpse {

/// The photograph of an image; one without pixels is not shown.
using PhotographFunction = std::function<Image(const CaptionedImage& image)>;

/// Curves of both in one chart, scores with differences (A - B) and how sure those are, the images on which one is best
/// above the other and some random ones with both captions, and the values in which their configurations differ. Scores
/// are of the images that both have captioned; a sentence says where the data were not the same. Throws Error for
/// folders that lack config.json, log.jsonl or captions.json.
Report compare_runs(const RunFiles& a, const RunFiles& b, const PhotographFunction& photograph);

}  // namespace glimpse
