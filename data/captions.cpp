#include "glimpse/data/captions.h"

#include <algorithm>
#include <filesystem>

#include "glimpse/data/internal/caption_parts.h"
#include "glimpse/engine/io/file.h"
#include "glimpse/kernels/base/check.h"

namespace glimpse {
namespace caption_files {

CaptionedImage& Collector::image(const std::string& filename) {
  const auto [place, is_new] = index_.try_emplace(filename, images.size());
  if (is_new) images.push_back({filename, "", "", {}});
  return images[place->second];
}

CaptionedImage* Collector::find(const std::string& filename) {
  const auto place = index_.find(filename);
  return place == index_.end() ? nullptr : &images[place->second];
}

void Collector::note_repeated(const std::string& filename) {
  if (repeated_index_.try_emplace(filename, 0).second) repeated.push_back(filename);
}

void Collector::add(CaptionedImage& image, std::vector<std::string> words) {
  const bool again = repeated_index_.contains(image.filename);
  if (words.empty() ||
      (again && std::find(image.captions.begin(), image.captions.end(), words) != image.captions.end()))
    return;
  image.captions.push_back(std::move(words));
}

}  // namespace caption_files

namespace {

using caption_files::Collector;

void read_file(const std::string& path, Collector& collector) {
  const std::string content = read_text_file(path);
  std::string_view text = content;
  if (text.starts_with("\xef\xbb\xbf")) text.remove_prefix(3);  // byte order mark
  const std::string_view begin = caption_files::trimmed(text);
  check(!begin.empty(), "{}: empty file", path);
  if (begin[0] == '{') return caption_files::read_json(path, text, collector);
  const std::string_view first_line = begin.substr(0, begin.find('\n'));
  if (first_line.find('\t') != std::string_view::npos && first_line.find('#') < first_line.find('\t'))
    return caption_files::read_tokens(path, text, collector);
  if (tokenize(first_line) == std::vector<std::string>{"imagecaption"})
    return caption_files::read_kaggle(path, text, collector);
  fail(
      "{}: not a caption file; known are Karpathy's JSON, COCO's captions JSON, captions.txt (first line "
      "'image,caption') and Flickr8k.token.txt (NAME.jpg#0 TAB CAPTION)",
      path);
}

/// One file, or all captions_*.json of a folder.
void read_file_or_folder(const std::string& path, Collector& collector) {
  std::error_code error;
  if (!std::filesystem::is_directory(path, error)) return read_file(path, collector);
  std::vector<std::string> files;
  for (const auto& entry : std::filesystem::directory_iterator(path, error)) {
    const std::string name = entry.path().filename().string();
    if (name.starts_with("captions_") && name.ends_with(".json")) files.push_back(entry.path().string());
  }
  check(!error, "{}: {}", path, error.message());
  check(!files.empty(), "{}: a folder without captions_*.json; name the caption file itself", path);
  std::sort(files.begin(), files.end());
  for (const std::string& file : files) read_file(file, collector);
}

/// Replaces the splits by those of the lists, and adds images that only the lists name.
void apply_lists(const std::string& folder, Collector& collector) {
  const auto lists = caption_files::read_split_lists(folder);
  std::unordered_map<std::string, bool> seen;
  for (CaptionedImage& image : collector.images) {
    auto found = lists.find(image.filename);
    if (found == lists.end()) found = lists.find(std::filesystem::path(image.filename).stem().string());
    image.split = found == lists.end() ? "" : found->second;
    if (found != lists.end()) seen[found->first] = true;
  }
  std::vector<std::string> unseen;
  for (const auto& [name, split] : lists)
    if (!seen.contains(name)) unseen.push_back(name);
  std::sort(unseen.begin(), unseen.end());
  for (const std::string& name : unseen) collector.image(name).split = lists.at(name);
}

}  // namespace

std::vector<const CaptionedImage*> CaptionSet::split(std::string_view name) const {
  std::vector<const CaptionedImage*> result;
  for (const CaptionedImage& image : images)
    if (image.split == name) result.push_back(&image);
  return result;
}

CaptionSet read_captions(const std::string& path, const std::string& splits_folder) {
  Collector collector;
  read_file_or_folder(path, collector);
  if (!splits_folder.empty()) apply_lists(splits_folder, collector);
  const bool no_splits = std::all_of(collector.images.begin(), collector.images.end(),
                                     [](const CaptionedImage& image) { return image.split.empty(); });
  check(!no_splits || collector.images.empty(),
        "{}: does not say which images are for training and which for validation; name a folder with the lists "
        "(Flickr_8k.trainImages.txt, Flickr_8k.devImages.txt, Flickr_8k.testImages.txt, or train.txt, val.txt, "
        "test.txt) with --splits",
        path);
  CaptionSet set;
  set.listed_twice = std::move(collector.repeated);
  for (CaptionedImage& image : collector.images) {
    if (image.captions.empty())
      set.without_captions.push_back(image.filename);
    else if (image.split.empty())
      set.without_split.push_back(image.filename);
    else
      set.images.push_back(std::move(image));
  }
  check(!set.images.empty(), "{}: no image with a caption ({} images without, {} in no split)", path,
        set.without_captions.size(), set.without_split.size());
  return set;
}

std::vector<std::string> tokenize(std::string_view text) {
  std::vector<std::string> words(1);
  for (const char c : text) {
    if (c >= 'A' && c <= 'Z')
      words.back() += static_cast<char>(c - 'A' + 'a');
    else if ((c >= 'a' && c <= 'z') || (c >= '0' && c <= '9'))
      words.back() += c;
    else if ((c == ' ' || (c >= '\t' && c <= '\r')) && !words.back().empty())
      words.emplace_back();
  }
  if (words.back().empty()) words.pop_back();
  return words;
}

std::string join_words(const std::vector<std::string>& words) {
  std::string text;
  for (const std::string& word : words) {
    if (!text.empty()) text += ' ';
    text += word;
  }
  return text;
}

std::string image_path(const std::string& folder, const CaptionedImage& image) {
  const std::filesystem::path root(folder);
  for (const std::string& name : {image.subfolder, image.filename})
    for (const std::filesystem::path& part : std::filesystem::path(name))
      check(part != ".." && part != "/", "{}: '{}' leads out of the folder of images", folder, name);
  if (!image.subfolder.empty()) {
    const std::filesystem::path nested = root / image.subfolder / image.filename;
    std::error_code error;
    if (std::filesystem::exists(nested, error)) return nested.string();
  }
  return (root / image.filename).string();
}

}  // namespace glimpse
