#include "image_files.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <filesystem>
#include <iostream>

#include "glimpse/kernels/base/check.h"

namespace glimpse::tools {
namespace fs = std::filesystem;
namespace {

constexpr std::size_t longest_path = 4096;  // PATH_MAX of Linux

/// The kind of picture that a file is by its name; null: no picture.
const ImageKind* kind_of(const fs::path& path) {
  std::string extension = path.extension().string();
  for (char& c : extension)
    if (c >= 'A' && c <= 'Z') c = static_cast<char>(c - 'A' + 'a');  // whatever the locale
  for (const ImageKind& kind : image_kinds())
    if (std::find(kind.extensions.begin(), kind.extensions.end(), extension) != kind.extensions.end()) return &kind;
  return nullptr;
}

/// What was found in folders.
struct Found {
  std::vector<std::string> images;
  std::vector<std::string> skipped;  // pictures that cannot be read here, with the reason
  std::int64_t others = 0, folders = 0;

  void add(const fs::directory_entry& entry) {
    std::error_code error;
    if (entry.is_directory(error)) {
      ++folders;
      return;
    }
    if (!entry.is_regular_file(error) || entry.path().filename().string().starts_with("._")) return;
    const ImageKind* const kind = kind_of(entry.path());
    if (!kind)
      ++others;
    else if (kind->missing_library)
      skipped.push_back(fmt::format("{} ({}: not built with {})", entry.path().filename().string(), kind->name,
                                    kind->missing_library));
    else
      images.push_back(entry.path().string());
  }
};

template <class Iterator>
void walk(const std::string& folder, Found& found) {
  std::error_code error;
  Iterator entry(folder, fs::directory_options::skip_permission_denied, error);
  check(!error, "{}: {}", folder, error.message());
  for (; entry != Iterator(); entry.increment(error)) found.add(*entry);
  check(!error, "{}: {}", folder, error.message());
}

Found look_into(const std::string& folder, bool recursive) {
  Found found;
  if (recursive)
    walk<fs::recursive_directory_iterator>(folder, found);
  else
    walk<fs::directory_iterator>(folder, found);
  std::sort(found.images.begin(), found.images.end());
  std::sort(found.skipped.begin(), found.skipped.end());
  return found;
}

/// "a.heic (HEIF: not built with libheif), b.tif (...), 3 are no pictures"; empty where nothing was skipped.
std::string skipped_text(const Found& found) {
  constexpr std::size_t most_named = 5;
  std::vector<std::string> parts(
      found.skipped.begin(), found.skipped.begin() + std::min(std::ssize(found.skipped), std::ptrdiff_t{most_named}));
  if (found.skipped.size() > most_named) parts.push_back(fmt::format("{} more", found.skipped.size() - most_named));
  if (found.others > 0)
    parts.push_back(found.others == 1 ? "1 is no picture" : fmt::format("{} are no pictures", found.others));
  return fmt::format("{}", fmt::join(parts, ", "));
}

void add_folder(const std::string& folder, const ImageArguments& arguments, const std::string& program,
                std::vector<std::string>& files) {
  const Found found = look_into(folder, arguments.recursive);
  const std::string skipped = skipped_text(found);
  const bool deeper = found.folders > 0 && !arguments.recursive;
  check(!found.images.empty(), "{}: no images in this folder{}{}", folder, skipped.empty() ? "" : ", only " + skipped,
        deeper ? " (--recursive looks into the folders in it)" : "");
  files.insert(files.end(), found.images.begin(), found.images.end());
  const std::int64_t count = std::ssize(found.skipped) + found.others;
  if (count > 0)
    fmt::print(stderr, "{}: {}: {} {} skipped: {}\n", program, folder, count, count == 1 ? "file" : "files", skipped);
}

/// Paths a line; line ends and a byte order mark of any system.
void add_list(std::istream& list, std::vector<std::string>& files) {
  bool first = true;
  for (std::string line; std::getline(list, line); first = false) {
    if (first && line.starts_with("\xef\xbb\xbf")) line.erase(0, 3);
    if (line.ends_with('\r')) line.pop_back();
    check(line.size() <= longest_path && line.find('\0') == std::string::npos,
          "-: stdin holds something else than a list of paths, one a line");
    if (!line.empty()) files.push_back(line);
  }
}

}  // namespace

void add_image_arguments(CLI::App& app, ImageArguments& arguments) {
  app.add_option("images", arguments.inputs, "images, folders of images, or - for a list on stdin")->required();
  app.add_flag("--recursive", arguments.recursive, "also the folders in folders");
  app.add_option("--max-pixels", arguments.max_pixels,
                 "larger images are refused; decoding one takes 8 bytes of memory for each of so many pixels at most")
      ->check(CLI::Range(std::int64_t{1}, std::int64_t{4'000'000'000}))
      ->capture_default_str();
}

std::vector<std::string> image_files(const ImageArguments& arguments, const std::string& program) {
  std::vector<std::string> files;
  for (const std::string& input : arguments.inputs) {
    std::error_code error;
    if (input == "-")
      add_list(std::cin, files);
    else if (fs::is_directory(input, error))
      add_folder(input, arguments, program, files);
    else
      files.push_back(input);
  }
  check(!files.empty(), "no image was named");
  return files;
}

}  // namespace glimpse::tools
