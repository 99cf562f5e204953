#pragma once
// Captions that models wrote, as reports show them.

#include <string>

#include "glimpse/data/dataset.h"
#include "glimpse/data/report.h"
#include "glimpse/models/captioner/captioner.h"

namespace glimpse {

/// What a report says of a caption, with the maps and the tree where it has them.
ReportCaption report_caption(const ImageCaption& caption, double score);

/// An image with its photograph, references and caption. Throws Error where the photograph cannot be read.
ReportCard report_card(const Dataset& dataset, const CaptionedImage& image, ReportCaption caption);

/// What the number beside a word says; empty for a decoder without attention.
std::string meaning_of_beta(const DecoderConfig& config);

}  // namespace glimpse
