#include "glimpse/data/dataset.h"

#include <algorithm>
#include <filesystem>
#include <unordered_map>
#include <unordered_set>

#include "glimpse/data/image_views.h"
#include "glimpse/kernels/base/check.h"

namespace glimpse {
namespace {

/// Bad images that an error lists by name.
constexpr std::size_t most_shown = 50;

}  // namespace

Dataset::Dataset(const SceneDataset& scenes) : scenes_(scenes), set_(scenes.captions()) {}

Dataset::Dataset(const std::string& folder, const std::string& captions_file, const std::string& splits_folder,
                 std::optional<WordRule> rule)
    : folder_(folder), captions_file_(captions_file) {
  check(std::filesystem::is_directory(folder_), "{}: no folder of images", folder_);
  set_ = read_captions(captions_file_, splits_folder, rule);
}

ImageList Dataset::all() const {
  ImageList images;
  for (const CaptionedImage& image : set_.images) images.push_back(&image);
  return images;
}

ImageList Dataset::require_split(const std::string& name) const {
  ImageList images = split(name);
  if (!images.empty()) return images;
  std::vector<std::string> there;
  for (const CaptionedImage& image : set_.images)
    if (std::find(there.begin(), there.end(), image.split) == there.end()) there.push_back(image.split);
  fail("{}: no image of split '{}'; there are {}", description(), name, fmt::join(there, ", "));
}

void Dataset::keep_splits(const std::vector<std::string>& names) {
  std::erase_if(set_.images, [&](const CaptionedImage& image) {
    return std::find(names.begin(), names.end(), image.split) == names.end();
  });
}

void Dataset::keep_few(std::int64_t count) {
  keep_splits({"train"});
  require_split("train");
  if (std::ssize(set_.images) > count) set_.images.resize(count);
  for (CaptionedImage& image : set_.images) image.captions.resize(std::min<std::size_t>(image.captions.size(), 1));
  few_ = true;
}

DatasetReport Dataset::check_images(bool skip_bad) {
  if (scenes_) return {};
  CheckOptions options;
  options.skip_bad = true;
  options.max_pixels = max_pixels_;
  DatasetReport report = glimpse::check_images(set_, folder_, options);
  if (skip_bad || report.bad.empty()) return report;
  check(report.bad.size() > 1, "{}/{} (--skip-bad leaves it out)", folder_, report.bad[0]);
  const std::size_t shown = std::min(report.bad.size(), most_shown);
  const std::vector<std::string> first(report.bad.begin(), report.bad.begin() + static_cast<std::ptrdiff_t>(shown));
  fail("{}: {} images cannot be used (--skip-bad leaves them out):\n  {}{}", folder_, report.bad.size(),
       fmt::join(first, "\n  "),
       shown < report.bad.size() ? fmt::format("\n  and {} more", report.bad.size() - shown) : "");
}

void Dataset::drop(const std::vector<std::string>& filenames) {
  const std::unordered_set<std::string> names(filenames.begin(), filenames.end());
  std::erase_if(set_.images, [&](const CaptionedImage& image) { return names.contains(image.filename); });
}

Image Dataset::image(const CaptionedImage& image, ImageOptions options) const {
  options.max_pixels = max_pixels_;
  if (!scenes_) return read_image(path(image), options);
  Image part = part_of(scenes_->scene(image.filename).image, options.view);
  return is_mirrored(options.view) ? mirrored(std::move(part)) : part;
}

std::vector<std::string> Dataset::paths(const std::vector<std::string>& filenames) const {
  std::unordered_map<std::string_view, const CaptionedImage*> by_name;
  for (const CaptionedImage& image : set_.images) by_name[image.filename] = &image;
  std::vector<std::string> result;
  for (const std::string& name : filenames) {
    const auto found = by_name.find(name);
    result.push_back(found == by_name.end() ? image_path(folder_, {name, "", "", {}}) : path(*found->second));
  }
  return result;
}

std::string Dataset::description() const { return scenes_ ? "the built-in scenes" : captions_file_; }

std::vector<std::string> filenames_of(const ImageList& images) {
  std::vector<std::string> names;
  for (const CaptionedImage* image : images) names.push_back(image->filename);
  return names;
}

}  // namespace glimpse
