// JSON as metadata, recipes and vocabularies hold it, whole and part by part.
#include <stdexcept>

#include "fuzz.h"
#include "glimpse/data/vocabulary.h"
#include "glimpse/engine/io/internal/json.h"
#include "glimpse/engine/io/text_file.h"
#include "glimpse/kernels/base/error.h"
#include "glimpse/kernels/base/utf8.h"

namespace glimpse::fuzz {
namespace {

void read(std::string_view bytes) {
  const std::string text = to_utf8(std::string(bytes), "fuzz");
  try {
    parse_json_parts(
        text, "fuzz", [](std::string_view section) { return section != "skip"; },
        [](JsonPart& part) { json_text(part.value); });
  } catch (const Error& error) {
    if (printable(error.what(), 10000) != error.what()) throw std::logic_error("an error that no terminal should see");
  }
  const nlohmann::json value = parse_json(text, "fuzz");
  if (parse_json(value.dump(), "fuzz") != value) throw std::logic_error("written and read: another value");
  if (!value.is_array()) return;
  std::vector<std::string> words = {"<pad>", "<start>", "<end>", "<unk>"};
  for (const nlohmann::json& word : value)
    if (word.is_string()) words.push_back(word.get<std::string>());
  const Vocabulary vocabulary(words, WordRule::unicode);
  vocabulary.text(vocabulary.encode(words));
}

std::vector<std::string> seeds() {
  return {R"({"a": [1, -2.5e3, true, null, "x\u00e4\n"], "b": {"c": {}, "d": []}, "skip": [{"e": [[]]}]})",
          R"(["a", "dog", "runs", "\u4e00", "<unk>"])", R"([{"k": 18446744073709551615}, [[1]], "1e999", 1e30])",
          "\xef\xbb\xbf{}", "7"};
}

}  // namespace

const Target target{read, seeds};

}  // namespace glimpse::fuzz
