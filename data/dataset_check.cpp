// Every image is looked at before hours are spent on the first of them.
#include <filesystem>

#include "glimpse/data/captions.h"
#include "glimpse/data/image.h"
#include "glimpse/kernels/base/check.h"
#include "glimpse/kernels/base/parallel.h"
#include "glimpse/kernels/base/utf8.h"

namespace glimpse {
namespace {

/// Why an image cannot be used, "" if it can.
std::string fault_of(const std::string& folder, const CaptionedImage& image, const CheckOptions& options) {
  std::string path = folder;
  try {
    path = image_path(folder, image);
    if (options.decode)
      read_image(path, {.max_pixels = options.max_pixels});
    else
      check_image_header(path, {.max_pixels = options.max_pixels});
    return "";
  } catch (const std::exception& error) {  // also bad_alloc: a picture too large for this machine
    const std::string text = error.what();
    return text.starts_with(path + ": ") ? text.substr(path.size() + 2) : text;
  }
}

/// What the folder holds, for whoever sees that names do not match: "; the folder holds 'x.jpg'".
std::string example_of(const std::string& folder) {
  std::error_code error;
  const std::filesystem::directory_iterator entries(folder, error), end;
  if (error || entries == end) return "; the folder is empty";
  return fmt::format("; the folder holds '{}'", printable(entries->path().filename().string()));
}

}  // namespace

std::string DatasetReport::text() const {
  std::string result = fmt::format("{} images can be used, {} cannot", usable, bad.size());
  for (const std::string& line : bad) result += "\n  " + line;
  for (const std::string& line : notes) result += "\n" + line;
  return result;
}

DatasetReport check_images(CaptionSet& set, const std::string& folder, const CheckOptions& options) {
  std::error_code error;
  check(std::filesystem::is_directory(folder, error), "{}: not a folder of images", folder);
  const std::int64_t count = static_cast<std::int64_t>(set.images.size());
  std::vector<std::string> faults(set.images.size());
  kernels::parallel_for(count, 1, [&](std::int64_t begin, std::int64_t end) {
    for (std::int64_t i = begin; i < end; ++i) {
      const std::size_t place = static_cast<std::size_t>(i);
      faults[place] = fault_of(folder, set.images[place], options);
    }
  });

  DatasetReport report;
  std::vector<CaptionedImage> usable;
  for (std::size_t i = 0; i < faults.size(); ++i) {
    if (faults[i].empty())
      usable.push_back(set.images[i]);
    else
      report.bad.push_back(set.images[i].filename + ": " + faults[i]);
  }
  report.usable = static_cast<std::int64_t>(usable.size());
  check(report.usable > 0, "{}: none of the {} images of the caption file can be used; the first is {}{}", folder,
        count, report.bad.empty() ? "" : report.bad[0], example_of(folder));
  for (const std::string& name : set.without_captions) report.bad.push_back(name + ": has no caption");
  for (const std::string& name : set.listed_twice)
    report.notes.push_back(name + ": listed more than once, its captions were joined");
  if (!set.without_split.empty())
    report.notes.push_back(fmt::format("{} images with captions are in no split and left out, the first is {}",
                                       set.without_split.size(), set.without_split[0]));
  check(report.bad.empty() || options.skip_bad, "{}: {}\nwith --skip-bad they are left out", folder, report.text());
  set.images = std::move(usable);
  set.without_captions.clear();
  return report;
}

}  // namespace glimpse
