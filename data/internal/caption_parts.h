#pragma once
// The readers that captions.cpp puts together.

#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "glimpse/data/captions.h"

namespace glimpse::caption_files {

/// Images in the order of their first appearance, each once.
class Collector {
 public:
  /// The image of that name, a new one where there is none.
  CaptionedImage& image(const std::string& filename);
  /// nullptr where there is none.
  CaptionedImage* find(const std::string& filename);
  /// Notes that the file lists this image again.
  void note_repeated(const std::string& filename);
  /// Appends a caption unless it is empty, or the image is listed again and has it already. (Two people may well have
  /// written the same: scores count on that.)
  void add(CaptionedImage& image, std::vector<std::string> words);

  std::vector<CaptionedImage> images;
  std::vector<std::string> repeated;  ///< in order, each once

 private:
  std::unordered_map<std::string, std::size_t> index_, repeated_index_;
};

/// Karpathy's or COCO's JSON. `path` stands in errors; COCO's split is taken from it.
void read_json(const std::string& path, std::string_view text, Collector& collector);
/// Kaggle's image,caption lines below a header.
void read_kaggle(const std::string& path, std::string_view text, Collector& collector);
/// name.jpg#0 TAB caption.
void read_tokens(const std::string& path, std::string_view text, Collector& collector);

/// Image name (with or without its extension) -> split, from the lists of a folder.
std::unordered_map<std::string, std::string> read_split_lists(const std::string& folder);

/// The next line without its end (LF or CRLF), taken off `text`.
std::string_view next_line(std::string_view& text);
/// Without white space at both ends.
std::string_view trimmed(std::string_view text);

}  // namespace glimpse::caption_files
