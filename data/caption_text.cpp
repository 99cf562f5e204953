// The caption files made of lines, and the lists that say which image is in which split.
#include <algorithm>
#include <filesystem>
#include <map>
#include <unordered_set>
#include <utility>

#include "glimpse/data/internal/caption_parts.h"
#include "glimpse/engine/io/text_file.h"
#include "glimpse/kernels/base/check.h"
#include "glimpse/kernels/base/utf8.h"

namespace glimpse::caption_files {

std::string with_lf(std::string text) {
  if (text.find('\r') == std::string::npos) return text;
  std::string result;
  for (std::size_t i = 0; i < text.size(); ++i) {
    if (text[i] != '\r')
      result += text[i];
    else if (i + 1 == text.size() || text[i + 1] != '\n')
      result += '\n';
  }
  return result;
}

std::string_view next_line(std::string_view& text) {
  const std::size_t end = text.find('\n');
  const std::string_view line = text.substr(0, end);
  text.remove_prefix(end == std::string_view::npos ? text.size() : end + 1);
  return line;
}

std::string_view trimmed(std::string_view text) {
  const char* blanks = " \t\r\n\v\f";
  const std::size_t begin = text.find_first_not_of(blanks);
  if (begin == std::string_view::npos) return {};
  return text.substr(begin, text.find_last_not_of(blanks) - begin + 1);
}

std::string image_name(std::string_view text) {
  text = trimmed(text);
  const std::size_t mark = text.rfind('#');
  if (mark != std::string_view::npos && mark + 1 < text.size() &&
      text.find_first_not_of("0123456789", mark + 1) == std::string_view::npos)
    text = text.substr(0, mark);
  std::string name(text);
  if (name.find('/') == std::string::npos) std::replace(name.begin(), name.end(), '\\', '/');
  while (name.starts_with("./")) name.erase(0, 2);
  return name;
}

namespace {

std::string lower_ascii(std::string_view text) {
  std::string lower(text);
  std::transform(lower.begin(), lower.end(), lower.begin(),
                 [](char c) { return c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c; });
  return lower;
}

}  // namespace

std::string split_named(std::string_view word) {
  const std::string lower = lower_ascii(word);
  for (const auto& [name, split] : {std::pair{"train", "train"},
                                    {"training", "train"},
                                    {"restval", "train"},
                                    {"val", "val"},
                                    {"valid", "val"},
                                    {"validation", "val"},
                                    {"dev", "val"},
                                    {"test", "test"},
                                    {"testing", "test"}})
    if (lower == name) return split;
  return "";
}

CaptionedImage& LineTaker::image(const std::string& name) {
  if (name != previous_ && collector_.find(name)) collector_.note_repeated(name);
  previous_ = name;
  return collector_.image(name);
}

namespace {

/// Calls take(line, number) for every line that is not blank.
template <class Take>
void each_line(std::string_view text, Take take) {
  for (std::int64_t number = 1; !text.empty(); ++number) {
    const std::string_view line = next_line(text);
    if (!trimmed(line).empty()) take(line, number);
  }
}

/// "train", "val" or "test" when the file name says so, else "".
std::string split_of_list(const std::string& file) {
  const std::string name = lower_ascii(file);
  if (!name.ends_with(".txt") || name.find("caption") != std::string::npos || name.find("token") != std::string::npos)
    return "";
  for (const auto& [word, split] : {std::pair{"train", "train"}, {"dev", "val"}, {"val", "val"}, {"test", "test"}})
    if (name.find(word) != std::string::npos) return split;
  return "";
}

}  // namespace

void read_tokens(const std::string& path, std::string_view text, Collector& collector) {
  LineTaker taker(collector);
  std::unordered_set<std::string> keys;
  each_line(text, [&](std::string_view line, std::int64_t number) {
    const std::size_t tab = line.find('\t');
    const std::size_t mark = line.substr(0, tab).rfind('#');
    check(tab != std::string_view::npos && mark != std::string_view::npos && mark > 0,
          "{}: line {}: expected NAME#NUMBER, a tab and a caption, got '{}'", path, number, printable(line, 100));
    const std::string name = image_name(line.substr(0, tab));
    if (!keys.emplace(line.substr(0, tab)).second) collector.note_repeated(name);
    taker.add(name, line.substr(tab + 1));
  });
}

std::unordered_map<std::string, ListedName> read_split_lists(const std::string& folder) {
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
  std::unordered_map<std::string, ListedName> splits;
  for (const auto& list : files) {
    const std::string &split = list.first, &file = list.second;  // clang 16 captures no names bound by []
    const std::string content = with_lf(read_utf8_file(file));
    each_line(content, [&](std::string_view line, std::int64_t number) {
      std::string_view name = trimmed(line);
      if (name.size() > 2 && name.starts_with('"') && name.ends_with('"')) name = name.substr(1, name.size() - 2);
      const auto [before, is_new] = splits.try_emplace(image_name(name), ListedName{split, file});
      check(is_new || before->second.split == split, "{}: line {}: {} is also in the list of split {}", file, number,
            printable(name), before->second.split);
    });
  }
  return splits;
}

}  // namespace glimpse::caption_files
