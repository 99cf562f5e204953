#include "glimpse/data/internal/wordnet.h"

#include <charconv>
#include <cstdlib>
#include <filesystem>
#include <span>
#include <utility>

#include "glimpse/kernels/base/check.h"
#include "glimpse/kernels/base/utf8.h"

namespace glimpse {
namespace {

/// Takes the next word off a line; empty at its end.
std::string_view take_word(std::string_view& line) {
  const std::size_t begin = line.find_first_not_of(' ');
  if (begin == std::string_view::npos) return line = {};
  const std::size_t end = std::min(line.find(' ', begin), line.size());
  const std::string_view word = line.substr(begin, end - begin);
  line.remove_prefix(end);
  return word;
}

std::string_view line_at(std::string_view text, std::size_t begin) {
  return text.substr(begin, std::min(text.find('\n', begin), text.size()) - begin);
}

/// The last line of a sorted text that begins with `key` and a blank; empty where there is none.
std::string_view find_line(std::string_view text, std::string_view key) {
  std::size_t low = 0, high = text.size();  // beginnings of lines; the line wanted begins in [low,high)
  std::string_view found;
  while (low < high) {
    const std::size_t middle = low + (high - low) / 2;
    const std::size_t before = middle == 0 ? std::string_view::npos : text.rfind('\n', middle - 1);
    const std::size_t begin = before == std::string_view::npos ? 0 : before + 1;
    const std::string_view line = line_at(text, begin);
    const std::string_view first = line.substr(0, line.find(' '));
    if (first <= key) {
      if (first == key) found = line;
      low = begin + line.size() + 1;
    } else {
      high = begin;
    }
  }
  return found;
}

std::optional<std::size_t> number(std::string_view text, int base = 10) {
  std::size_t value = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value, base);
  return error == std::errc() && end == text.data() + text.size() ? std::optional(value) : std::nullopt;
}

struct Ending {
  std::string_view from, to;
};
// morphy(7), "Rules of Detachment", and -ves of nltk.
constexpr std::array<Ending, 9> noun_endings = {{{"s", ""},
                                                 {"ses", "s"},
                                                 {"ves", "f"},
                                                 {"xes", "x"},
                                                 {"zes", "z"},
                                                 {"ches", "ch"},
                                                 {"shes", "sh"},
                                                 {"men", "man"},
                                                 {"ies", "y"}}};
constexpr std::array<Ending, 8> verb_endings = {
    {{"s", ""}, {"ies", "y"}, {"es", "e"}, {"es", ""}, {"ed", "e"}, {"ed", ""}, {"ing", "e"}, {"ing", ""}}};
constexpr std::array<Ending, 4> adjective_endings = {{{"er", ""}, {"est", ""}, {"er", "e"}, {"est", "e"}}};
constexpr std::array<std::span<const Ending>, 4> endings = {noun_endings, verb_endings, adjective_endings, {}};

constexpr std::array<const char*, 4> part_names = {"noun", "verb", "adj", "adv"};

}  // namespace

WordNet::WordNet(std::string where, std::array<WordNetPart, 4> parts)
    : where_(std::move(where)), parts_(std::move(parts)) {}

WordNet::WordNet(const std::string& folder) : where_(folder) {
  const auto open = [&](const std::string& name) {
    files_.push_back(std::make_shared<MappedFile>(folder + "/" + name));
    return files_.back()->bytes();
  };
  for (std::size_t p = 0; p < parts_.size(); ++p) {
    const std::string name = part_names[p];
    parts_[p] = {name, open("index." + name), open("data." + name), open(name + ".exc")};
  }
}

std::optional<WordNet> WordNet::installed() {
  const char* folder = std::getenv("WNSEARCHDIR");
  const char* home = std::getenv("WNHOME");
  const std::string path = folder ? folder : home ? std::string(home) + "/dict" : "/usr/share/wordnet";
  std::error_code error;
  if (!std::filesystem::exists(path + "/index.noun", error)) return std::nullopt;
  return WordNet(path);
}

std::vector<std::string> WordNet::base_forms(std::size_t part, const std::string& word) const {
  std::vector<std::string> forms{word};
  std::string_view exception = find_line(parts_[part].exceptions, word);
  if (!exception.empty()) {
    take_word(exception);
    for (std::string_view form = take_word(exception); !form.empty(); form = take_word(exception))
      forms.emplace_back(form);
    return forms;
  }
  for (const Ending& ending : endings[part])
    if (word.ends_with(ending.from))
      forms.push_back(word.substr(0, word.size() - ending.from.size()).append(ending.to));
  return forms;
}

/// A synset is "offset file part count word id word id ...", the count in hexadecimal.
void WordNet::add_synset(const WordNetPart& part, std::string_view offset, std::set<std::string>& words) const {
  const std::optional<std::size_t> begin = number(offset);
  std::string_view line = begin && *begin < part.data.size() ? line_at(part.data, *begin) : std::string_view();
  const bool found = take_word(line) == offset;
  take_word(line);
  take_word(line);
  const std::optional<std::size_t> count = number(take_word(line), 16);
  check(found && count, "{}/data.{}: damaged: no synset at {}", where_, part.name, printable(offset, 40));
  for (std::size_t i = 0; i < *count; ++i) {
    const std::string_view word = take_word(line);
    check(!word.empty(), "{}/data.{}: damaged: the synset at {} is cut short", where_, part.name, offset);
    take_word(line);
    if (word.find('_') == std::string_view::npos) words.emplace(word.substr(0, word.find('(')));  // "(p)": its position
  }
}

std::set<std::string> WordNet::synonyms(const std::string& word) const {
  std::set<std::string> words;
  if (word.empty()) return words;
  for (std::size_t p = 0; p < parts_.size(); ++p)
    for (const std::string& form : base_forms(p, word)) {
      // "word part senses pointers pointer... senses tagged offset..."
      std::string_view line = find_line(parts_[p].index, form);
      if (form.empty() || line.empty()) continue;
      take_word(line);
      take_word(line);
      const std::optional<std::size_t> senses = number(take_word(line)), pointers = number(take_word(line));
      check(senses && pointers && *pointers < line.size(), "{}/index.{}: damaged: the line of '{}'", where_,
            parts_[p].name, printable(form, 80));
      for (std::size_t i = 0; i < *pointers + 2; ++i) take_word(line);
      for (std::size_t i = 0; i < *senses; ++i) add_synset(parts_[p], take_word(line), words);
    }
  return words;
}

}  // namespace glimpse
