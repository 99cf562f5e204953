#include "examples.h"

#include <algorithm>
#include <exception>
#include <filesystem>
#include <unordered_map>
#include <unordered_set>

#include "encoder_input.h"
#include "glimpse/kernels/base/check.h"
#include "glimpse/kernels/base/parallel.h"

namespace glimpse::tools {
namespace {

/// Bad images that an error lists by name.
constexpr std::size_t most_shown = 50;

}  // namespace

Examples::Examples(const Config& config) {
  if (config.uses_scenes()) {
    check(config.data.captions.empty(), "captions {} without photographs: --images names their folder",
          config.data.captions);
    const SceneCounts counts{config.scenes.train, config.scenes.val, config.scenes.test};
    scenes_.emplace(static_cast<std::uint64_t>(config.scenes.seed), counts);
    set_ = scenes_->captions();
    return;
  }
  folder_ = config.data.images;
  captions_file_ = config.data.captions;
  check(std::filesystem::is_directory(folder_), "{}: no folder of images", folder_);
  check(!captions_file_.empty(), "images {} without captions: --captions names the file", folder_);
  set_ = read_captions(captions_file_, config.data.splits);
}

ImageList Examples::all() const {
  ImageList images;
  for (const CaptionedImage& image : set_.images) images.push_back(&image);
  return images;
}

ImageList Examples::split_or_fail(const std::string& name) const {
  ImageList images = split(name);
  if (!images.empty()) return images;
  std::vector<std::string> there;
  for (const CaptionedImage& image : set_.images)
    if (std::find(there.begin(), there.end(), image.split) == there.end()) there.push_back(image.split);
  fail("{}: no image of split '{}'; there are {}", description(), name, fmt::join(there, ", "));
}

void Examples::keep_splits(const std::vector<std::string>& names) {
  std::erase_if(set_.images, [&](const CaptionedImage& image) {
    return std::find(names.begin(), names.end(), image.split) == names.end();
  });
}

DatasetReport Examples::check_images(bool skip_bad) {
  if (scenes_) return {};
  CheckOptions options;
  options.skip_bad = true;
  DatasetReport report = glimpse::check_images(set_, folder_, options);
  if (skip_bad || report.bad.empty()) return report;
  check(report.bad.size() > 1, "{}/{} (--skip-bad leaves it out)", folder_, report.bad[0]);
  const std::size_t shown = std::min(report.bad.size(), most_shown);
  const std::vector<std::string> first(report.bad.begin(), report.bad.begin() + static_cast<std::ptrdiff_t>(shown));
  fail("{}: {} images cannot be used (--skip-bad leaves them out):\n  {}{}", folder_, report.bad.size(),
       fmt::join(first, "\n  "),
       shown < report.bad.size() ? fmt::format("\n  and {} more", report.bad.size() - shown) : "");
}

void Examples::drop(const std::vector<std::string>& filenames) {
  const std::unordered_set<std::string> names(filenames.begin(), filenames.end());
  std::erase_if(set_.images, [&](const CaptionedImage& image) { return names.contains(image.filename); });
}

Image Examples::image(const CaptionedImage& image) const {
  return scenes_ ? scenes_->scene(image.filename).image : read_image(path(image));
}

Tensor Examples::pixels(const ImageList& images, const Preprocessing& preprocessing, Device device) const {
  return encoder_input(
      std::ssize(images), [&](std::int64_t i) { return image(*images[static_cast<std::size_t>(i)]); }, preprocessing,
      device);
}

std::vector<std::string> Examples::paths(const std::vector<std::string>& filenames) const {
  std::unordered_map<std::string_view, const CaptionedImage*> by_name;
  for (const CaptionedImage& image : set_.images) by_name[image.filename] = &image;
  std::vector<std::string> result;
  for (const std::string& name : filenames) {
    const auto found = by_name.find(name);
    result.push_back(found == by_name.end() ? folder_ + "/" + name : path(*found->second));
  }
  return result;
}

std::string Examples::description() const { return scenes_ ? "the built-in scenes" : captions_file_; }

void for_each_parallel(std::int64_t count, const std::function<void(std::int64_t)>& work) {
  std::vector<std::exception_ptr> errors(static_cast<std::size_t>(count));
  kernels::parallel_for(count, 1, [&](std::int64_t begin, std::int64_t end) {
    for (std::int64_t i = begin; i < end; ++i) {
      try {
        work(i);
      } catch (...) {
        errors[static_cast<std::size_t>(i)] = std::current_exception();
      }
    }
  });
  for (const std::exception_ptr& error : errors)
    if (error) std::rethrow_exception(error);
}

}  // namespace glimpse::tools
