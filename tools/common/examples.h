#pragma once
// Images with captions, from files or rendered: one face for training, evaluation and reports.

#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "glimpse/data/captions.h"
#include "glimpse/data/feature_cache.h"
#include "glimpse/data/image.h"
#include "glimpse/data/scenes.h"
#include "glimpse/engine/tensor.h"
#include "glimpse/models/captioner/config.h"
#include "glimpse/models/encoder/preprocessing.h"

namespace glimpse::tools {

using ImageList = std::vector<const CaptionedImage*>;

class Examples {
 public:
  /// The built-in scenes, or the photographs that config.data names; reads captions, no image yet. Throws Error for
  /// captions without images and for a caption file that cannot be read.
  explicit Examples(const Config& config);

  /// The images of a split, in order.
  ImageList split(std::string_view name) const { return set_.split(name); }
  /// All images, of whatever split.
  ImageList all() const;
  /// Throws Error when the split has no image, listing the splits that have.
  ImageList split_or_fail(const std::string& name) const;
  /// Keeps only the images of these splits.
  void keep_splits(const std::vector<std::string>& names);
  /// Decodes every photograph once. Bad ones leave the set, which is reported; without `skip_bad` they throw Error with
  /// the list of them. Nothing to do for scenes.
  DatasetReport check_images(bool skip_bad);
  /// Leaves out the images of these names.
  void drop(const std::vector<std::string>& filenames);

  Image image(const CaptionedImage& image) const;
  /// What an encoder takes (encoder_input.h): (N,3,S,S).
  Tensor pixels(const ImageList& images, const Preprocessing& preprocessing, Device device) const;
  /// Where a photograph lies.
  std::string path(const CaptionedImage& image) const { return image_path(folder_, image); }
  /// The same for names; one that is not in the set is looked for in the folder itself.
  std::vector<std::string> paths(const std::vector<std::string>& filenames) const;

  const CaptionSet& set() const { return set_; }
  /// The renderer, where the data are scenes.
  const std::optional<SceneDataset>& scenes() const { return scenes_; }
  /// "the built-in scenes" or the caption file.
  std::string description() const;

 private:
  std::optional<SceneDataset> scenes_;
  std::string folder_, captions_file_;
  CaptionSet set_;
};

/// Calls work(i) for i < count on all threads; what one of the calls throws is thrown again here, the first by i.
void for_each_parallel(std::int64_t count, const std::function<void(std::int64_t)>& work);

}  // namespace glimpse::tools
