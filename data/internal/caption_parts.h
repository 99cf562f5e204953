#pragma once
// The readers that captions.cpp puts together.

#include <string>
#include <string_view>
#include <unordered_map>
#include <unordered_set>
#include <vector>

#include "glimpse/data/captions.h"

namespace glimpse::caption_files {

/// Images in the order of their first appearance, each once.
class Collector {
 public:
  /// Raw text becomes words by `rule`, or by WordRule::unicode.
  explicit Collector(std::optional<WordRule> rule) : asked_(rule) {}

  /// The image of that name, a new one where there is none.
  CaptionedImage& image(const std::string& filename);
  /// nullptr where there is none.
  CaptionedImage* find(const std::string& filename);
  /// Notes that the file lists this image again.
  void note_repeated(const std::string& filename);
  /// Appends a caption unless it is empty, or the image is listed again and has it already. (Two people may well have
  /// written the same: scores count on that.)
  void add_text(CaptionedImage& image, std::string_view text);
  /// The same for a caption that the file has cut into words.
  void add_words(CaptionedImage& image, const std::vector<std::string>& words);

  /// The rule that was asked for; else that of all words which the file has cut, or WordRule::unicode.
  WordRule rule() const;

  std::vector<CaptionedImage> images;
  std::vector<std::string> repeated;  ///< in order, each once

 private:
  void add(CaptionedImage& image, std::vector<std::string> words);

  std::optional<WordRule> asked_;
  bool has_words_ = false, all_ascii_ = true, all_unicode_ = true;  // of captions that the file has cut
  std::unordered_map<std::string, std::size_t> index_;
  std::unordered_set<std::string> repeated_index_;
};

/// Adds captions line by line. An image whose lines are not together is listed more than once.
class LineTaker {
 public:
  explicit LineTaker(Collector& collector) : collector_(collector) {}
  /// The image, now that another line names it.
  CaptionedImage& image(const std::string& name);
  void add(const std::string& name, std::string_view caption) { collector_.add_text(image(name), caption); }

 private:
  Collector& collector_;
  std::string previous_;
};

/// Karpathy's or COCO's JSON. `path` stands in errors; COCO's split and folder are taken from it.
void read_json(const std::string& path, std::string_view text, Collector& collector);
/// A table of images and captions. False where the first line is not that of one, with `reason` why.
bool read_table(const std::string& path, std::string_view text, Collector& collector, std::string& reason);
/// name.jpg#0 TAB caption.
void read_tokens(const std::string& path, std::string_view text, Collector& collector);

/// Where a name of a split list stands.
struct ListedName {
  std::string split, file;
};
/// Image name (with or without its extension) -> split, from the lists of a folder.
std::unordered_map<std::string, ListedName> read_split_lists(const std::string& folder);

/// The split that a word stands for ("dev", "Validation", "restval"), "" for none.
std::string split_named(std::string_view word);
/// A name as a table or a list gives it: without blanks around it and without the number of a caption (a.jpg#0), with
/// slashes for a path of Windows.
std::string image_name(std::string_view text);
/// The file's text with LF for all line ends.
std::string with_lf(std::string text);
/// The next line without its end, taken off `text`, whose lines end in LF.
std::string_view next_line(std::string_view& text);
/// Without white space at both ends.
std::string_view trimmed(std::string_view text);

}  // namespace glimpse::caption_files
