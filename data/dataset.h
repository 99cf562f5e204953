#pragma once
// Images with captions, from files or rendered: one face for training, evaluation and reports.

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "glimpse/data/captions.h"
#include "glimpse/data/image.h"
#include "glimpse/data/scenes.h"

namespace glimpse {

/// Images of a data set, which must outlive the list.
using ImageList = std::vector<const CaptionedImage*>;

class Dataset {
 public:
  /// The built-in scenes, which are drawn when they are asked for.
  explicit Dataset(const SceneDataset& scenes);
  /// The photographs of a folder with the captions of a file (read_captions); no photograph is opened yet. Throws Error
  /// where there is no such folder, and for a caption file that cannot be read.
  Dataset(const std::string& folder, const std::string& captions_file, const std::string& splits_folder = "",
          std::optional<WordRule> rule = std::nullopt);

  /// The images of a split, in order.
  ImageList split(std::string_view name) const { return set_.split(few_ && name == "val" ? "train" : name); }
  /// All images, of whatever split.
  ImageList all() const;
  /// The same as split(). Throws Error when it has no image, listing the splits that have.
  ImageList require_split(const std::string& name) const;
  /// Keeps only the images of these splits.
  void keep_splits(const std::vector<std::string>& names);
  /// Keeps the first `count` training images with one caption each; they are the validation images too. What a model
  /// that is trained on so little should know by heart.
  void keep_few(std::int64_t count);
  /// Decodes every photograph once. Bad ones leave the set, which is reported; without `skip_bad` they throw Error with
  /// the list of them. Nothing to do for scenes.
  DatasetReport check_images(bool skip_bad);
  /// Leaves out the images of these names.
  void drop(const std::vector<std::string>& filenames);

  /// Photographs of more pixels cannot be read (ImageOptions).
  void set_max_pixels(std::int64_t count) { max_pixels_ = count; }
  /// The picture itself, in the view that `options` name; their orientation and squash count for photographs alone.
  /// Throws Error when it cannot be read.
  Image image(const CaptionedImage& image, ImageOptions options = {}) const;
  /// Where a photograph lies.
  std::string path(const CaptionedImage& image) const { return image_path(folder_, image); }
  /// The same for names; one that is not in the set is looked for in the folder itself.
  std::vector<std::string> paths(const std::vector<std::string>& filenames) const;

  const CaptionSet& captions() const { return set_; }
  /// The renderer, where the data are scenes.
  const std::optional<SceneDataset>& scenes() const { return scenes_; }
  /// "the built-in scenes" or the caption file.
  std::string description() const;

 private:
  std::optional<SceneDataset> scenes_;
  std::string folder_, captions_file_;
  CaptionSet set_;
  std::int64_t max_pixels_ = max_image_pixels;
  bool few_ = false;
};

/// The names of images, in order.
std::vector<std::string> filenames_of(const ImageList& images);

}  // namespace glimpse
