#include "glimpse/models/training/report_card.h"

namespace glimpse {

ReportCaption report_caption(const ImageCaption& caption, double score) {
  ReportCaption result{caption.words, score, caption.rule};
  if (caption.attention.defined()) result.maps = attention_maps(caption);
  result.tree = caption.tree;
  return result;
}

ReportCard report_card(const Dataset& dataset, const CaptionedImage& image, ReportCaption caption) {
  return {image.filename, report_photograph(dataset.image(image)), {std::move(caption)}, image.captions};
}

std::string meaning_of_beta(const DecoderConfig& config) {
  if (!config.attends()) return "";
  return config.has_sentinel() ? "the share of attention that the sentinel has, so that the image has not"
                               : "how much of what it looked at the gate lets through";
}

}  // namespace glimpse
