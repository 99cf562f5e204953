#pragma once
// captions.json of a run: what its best model says of the validation split, so that runs can be compared when neither
// models nor data are at hand. `evaluate --compare` reads it too.

#include <string>
#include <vector>

#include "glimpse/data/dataset.h"
#include "glimpse/data/metrics.h"

namespace glimpse {

/// An image with its references, and its caption, as the scores see them.
struct RunCaption {
  CaptionedImage image;
  CaptionWords words;
  WordRule rule = WordRule::ascii;  ///< by which words become text
};

/// [{"filename", "subfolder", "caption", "words", "rule", "references"}, ...], where references are lists of words.
/// Written in one instant.
void write_run_captions(const std::string& path, const ImageList& images, const std::vector<CaptionWords>& captions,
                        WordRule rule);
/// Throws Error naming the path for a file that is not there or is none.
std::vector<RunCaption> read_run_captions(const std::string& path);

}  // namespace glimpse
