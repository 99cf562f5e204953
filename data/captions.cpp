#include "glimpse/data/captions.h"

#include <algorithm>
#include <filesystem>
#include <unordered_set>

#include "glimpse/data/internal/caption_parts.h"
#include "glimpse/engine/io/text_file.h"
#include "glimpse/kernels/base/check.h"
#include "glimpse/kernels/base/utf8.h"

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
  if (repeated_index_.insert(filename).second) repeated.push_back(filename);
}

void Collector::add_text(CaptionedImage& image, std::string_view text) {
  std::vector<std::string> words = tokenize(text, asked_.value_or(WordRule::unicode));
  for (const std::string& word : words) all_ascii_ = all_ascii_ && is_word_of(word, WordRule::ascii);
  add(image, std::move(words));
}

void Collector::add_words(CaptionedImage& image, const std::vector<std::string>& words) {
  std::vector<std::string> given = given_words(words);
  has_words_ = has_words_ || !given.empty();
  for (const std::string& word : given) {
    all_ascii_ = all_ascii_ && is_word_of(word, WordRule::ascii);
    all_unicode_ = all_unicode_ && (all_ascii_ || is_word_of(word, WordRule::unicode));
  }
  add(image, std::move(given));
}

void Collector::add(CaptionedImage& image, std::vector<std::string> words) {
  const bool again = repeated_index_.contains(image.filename);
  if (words.empty() ||
      (again && std::find(image.captions.begin(), image.captions.end(), words) != image.captions.end()))
    return;
  image.captions.push_back(std::move(words));
}

WordRule Collector::rule() const {
  if (asked_) return *asked_;
  if (!has_words_) return WordRule::unicode;
  return all_ascii_ ? WordRule::ascii : all_unicode_ ? WordRule::unicode : WordRule::spaces;
}

}  // namespace caption_files

namespace {

using caption_files::Collector;
namespace fs = std::filesystem;

void read_file(const std::string& path, Collector& collector) {
  const std::string content = read_utf8_file(path);
  const std::string_view begin = caption_files::trimmed(content);
  check(!begin.empty(), "{}: empty file", path);
  if (begin[0] == '{') return caption_files::read_json(path, content, collector);
  const std::string text = caption_files::with_lf(content);
  std::string_view rest = caption_files::trimmed(text);
  const std::string_view first_line = caption_files::next_line(rest);
  if (first_line.find('\t') != std::string_view::npos && first_line.find('#') < first_line.find('\t'))
    return caption_files::read_tokens(path, text, collector);
  std::string reason = fmt::format("its first line is '{}'", printable(first_line, 80));
  if (caption_files::read_table(path, text, collector, reason)) return;
  fail(
      "{}: not a caption file: {}; known are Karpathy's JSON, COCO's captions JSON, tables such as captions.txt (first "
      "line "
      "'image,caption') and Flickr8k.token.txt (NAME.jpg#0 TAB CAPTION)",
      path, reason);
}

/// All captions_*.json of a folder, or of its folder "annotations".
std::vector<std::string> coco_files(const std::string& folder) {
  std::vector<std::string> files;
  for (const std::string& place : {folder, folder + "/annotations"}) {
    std::error_code error;
    for (const auto& entry : fs::directory_iterator(place, error)) {
      const std::string name = entry.path().filename().string();
      if (name.starts_with("captions_") && name.ends_with(".json")) files.push_back(entry.path().string());
    }
    if (!files.empty()) break;
    check(!error || place != folder, "{}: {}", folder, error.message());
  }
  std::sort(files.begin(), files.end());
  check(!files.empty(), "{}: a folder without captions_*.json; name the caption file itself", folder);
  return files;
}

void read_file_or_folder(const std::string& path, Collector& collector) {
  std::error_code error;
  if (!fs::is_directory(path, error)) return read_file(path, collector);
  for (const std::string& file : coco_files(path)) read_file(file, collector);
}

/// The ways in which a list may name an image: as the file does, without extension, without folders, without both.
std::vector<std::string> names_of(const std::string& filename) {
  const fs::path path(filename);
  return {filename, (path.parent_path() / path.stem()).string(), path.filename().string(), path.stem().string()};
}

/// Replaces the splits by those of the lists, and adds images that only the lists name.
void apply_lists(const std::string& path, const std::string& folder, Collector& collector) {
  const auto lists = caption_files::read_split_lists(folder);
  std::unordered_map<std::string, int> count;  // of images that a name may stand for
  for (const CaptionedImage& image : collector.images)
    for (const std::string& name : names_of(image.filename)) ++count[name];
  std::unordered_set<std::string> seen;
  for (CaptionedImage& image : collector.images) {
    image.split.clear();
    const std::vector<std::string> names = names_of(image.filename);
    for (std::size_t i = 0; i < names.size() && image.split.empty(); ++i) {
      const auto found = lists.find(names[i]);
      // A name that several images share in different folders stands for none of them.
      if (found == lists.end() || (i > 1 && count[names[i]] > std::count(names.begin(), names.end(), names[i])))
        continue;
      image.split = found->second.split;
      seen.insert(names[i]);
    }
  }
  std::vector<std::string> unseen;
  for (const auto& [name, listed] : lists)
    if (!seen.contains(name)) unseen.push_back(name);
  std::sort(unseen.begin(), unseen.end());
  check(unseen.size() < lists.size() || lists.empty() || collector.images.empty(),
        "{}: none of the {} listed names is among the {} images of {}: listed is '{}' ({}), described is '{}'", folder,
        lists.size(), collector.images.size(), path, printable(unseen.empty() ? "" : unseen[0]),
        unseen.empty() ? "" : lists.at(unseen[0]).file,
        printable(collector.images.empty() ? "" : collector.images[0].filename));
  for (const std::string& name : unseen) collector.image(name).split = lists.at(name).split;
}

}  // namespace

std::vector<const CaptionedImage*> CaptionSet::split(std::string_view name) const {
  std::vector<const CaptionedImage*> result;
  for (const CaptionedImage& image : images)
    if (image.split == name) result.push_back(&image);
  return result;
}

CaptionSet read_captions(const std::string& path, const std::string& splits_folder, std::optional<WordRule> rule) {
  Collector collector(rule);
  read_file_or_folder(path, collector);
  if (!splits_folder.empty()) apply_lists(path, splits_folder, collector);
  const bool no_splits = std::all_of(collector.images.begin(), collector.images.end(),
                                     [](const CaptionedImage& image) { return image.split.empty(); });
  check(!no_splits || collector.images.empty(),
        "{}: does not say which images are for training and which for validation; name a folder with the lists "
        "(Flickr_8k.trainImages.txt, Flickr_8k.devImages.txt, Flickr_8k.testImages.txt, or train.txt, val.txt, "
        "test.txt) with --splits",
        path);
  CaptionSet set;
  set.listed_twice = std::move(collector.repeated);
  set.rule = collector.rule();
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

std::string image_path(const std::string& folder, const CaptionedImage& image) {
  for (const std::string& name : {image.subfolder, image.filename})
    for (const fs::path& part : fs::path(name))
      check(part != ".." && part != "/", "{}: '{}' leads out of the folder of images", folder, name);
  const fs::path root(folder), plain = root / image.filename;
  std::vector<fs::path> places;
  if (!image.subfolder.empty()) places.push_back(root / image.subfolder / image.filename);
  places.push_back(plain);
  if (fs::path(image.filename).has_parent_path()) places.push_back(root / fs::path(image.filename).filename());
  std::error_code error;
  for (const fs::path& place : places)
    if (places.size() > 1 && fs::exists(place, error)) return place.string();
  return plain.string();
}

}  // namespace glimpse
