// The caption files made of lines, and the lists that say which image is in which split.
#include <algorithm>
#include <filesystem>
#include <map>
#include <unordered_set>
#include <utility>

#include "glimpse/data/internal/caption_parts.h"
#include "glimpse/engine/io/file.h"
#include "glimpse/kernels/base/check.h"

namespace glimpse::caption_files {

std::string_view next_line(std::string_view& text) {
  const std::size_t end = text.find('\n');
  std::string_view line = text.substr(0, end);
  text.remove_prefix(end == std::string_view::npos ? text.size() : end + 1);
  if (line.ends_with('\r')) line.remove_suffix(1);
  return line;
}

std::string_view trimmed(std::string_view text) {
  const char* blanks = " \t\r\n\v\f";
  const std::size_t begin = text.find_first_not_of(blanks);
  if (begin == std::string_view::npos) return {};
  return text.substr(begin, text.find_last_not_of(blanks) - begin + 1);
}

namespace {

/// Takes a field of a CSV line up to the next comma; in quotes, commas belong to it and "" means ".
std::string take_field(std::string_view& line) {
  std::string field;
  if (line.starts_with('"')) {
    std::size_t i = 1;
    while (i < line.size() && (line[i] != '"' || line.substr(i).starts_with("\"\""))) {
      if (line[i] == '"') ++i;
      field += line[i++];
    }
    line.remove_prefix(std::min(i + 1, line.size()));
  }
  const std::size_t comma = std::min(line.find(','), line.size());
  field += line.substr(0, comma);
  line.remove_prefix(comma);
  return field;
}

/// Calls take(line, number) for every line that is not blank.
template <class Take>
void each_line(std::string_view text, Take take) {
  for (std::int64_t number = 1; !text.empty(); ++number) {
    const std::string_view line = next_line(text);
    if (!trimmed(line).empty()) take(line, number);
  }
}

/// Adds captions line by line. An image whose lines are not together is listed more than once.
class LineTaker {
 public:
  explicit LineTaker(Collector& collector) : collector_(collector) {}

  void take(const std::string& name, std::string_view caption) {
    if (name != previous_ && collector_.find(name)) collector_.note_repeated(name);
    previous_ = name;
    collector_.add(collector_.image(name), tokenize(caption));
  }

 private:
  Collector& collector_;
  std::string previous_;
};

/// "train", "val" or "test" when the file name says so, else "".
std::string split_of_list(std::string name) {
  std::transform(name.begin(), name.end(), name.begin(),
                 [](char c) { return c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c; });
  if (!name.ends_with(".txt") || name.find("caption") != std::string::npos || name.find("token") != std::string::npos)
    return "";
  for (const auto& [word, split] : {std::pair{"train", "train"}, {"dev", "val"}, {"val", "val"}, {"test", "test"}})
    if (name.find(word) != std::string::npos) return split;
  return "";
}

}  // namespace

void read_kaggle(const std::string& path, std::string_view text, Collector& collector) {
  LineTaker taker(collector);
  bool header = true;
  each_line(text, [&](std::string_view line, std::int64_t number) {
    if (std::exchange(header, false)) return;
    std::string_view rest = line;
    const std::string name(trimmed(take_field(rest)));
    check(rest.starts_with(',') && !name.empty(), "{}: line {}: expected IMAGE,CAPTION, got '{}'", path, number, line);
    taker.take(name, rest);  // quotes and commas of the caption are no part of its words
  });
}

void read_tokens(const std::string& path, std::string_view text, Collector& collector) {
  LineTaker taker(collector);
  std::unordered_set<std::string> keys;
  each_line(text, [&](std::string_view line, std::int64_t number) {
    const std::size_t tab = line.find('\t');
    const std::size_t mark = line.substr(0, tab).rfind('#');
    check(tab != std::string_view::npos && mark != std::string_view::npos && mark > 0,
          "{}: line {}: expected NAME#NUMBER, a tab and a caption, got '{}'", path, number, line);
    const std::string name(line.substr(0, mark));
    if (!keys.emplace(line.substr(0, tab)).second) collector.note_repeated(name);
    taker.take(name, line.substr(tab + 1));
  });
}

std::unordered_map<std::string, std::string> read_split_lists(const std::string& folder) {
  std::error_code error;
  std::map<std::string, std::string> files;  // split -> list
  for (const auto& entry : std::filesystem::directory_iterator(folder, error)) {
    const std::string split = split_of_list(entry.path().filename().string());
    if (split.empty()) continue;
    const auto [before, is_new] = files.try_emplace(split, entry.path().string());
    check(is_new, "{}: two lists of split {}: {} and {}", folder, split, before->second, entry.path().string());
  }
  check(!error, "{}: {}", folder, error.message());
  check(files.contains("train") && files.contains("val"),
        "{}: no lists of images for train and val (files like Flickr_8k.trainImages.txt and Flickr_8k.devImages.txt)",
        folder);
  std::unordered_map<std::string, std::string> splits;
  for (const auto& list : files) {
    const std::string &split = list.first, &file = list.second;  // clang 16 captures no names bound by []
    const std::string content = read_text_file(file);
    each_line(content, [&](std::string_view line, std::int64_t number) {
      const std::string name(trimmed(line));
      const auto [before, is_new] = splits.try_emplace(name, split);
      check(is_new || before->second == split, "{}: line {}: {} is also in the list of split {}", file, number, name,
            before->second);
    });
  }
  return splits;
}

}  // namespace glimpse::caption_files
