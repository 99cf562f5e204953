#include "glimpse/models/training/run_captions.h"

#include "glimpse/engine/io/file.h"
#include "glimpse/engine/io/internal/json.h"
#include "glimpse/engine/io/text_file.h"
#include "glimpse/kernels/base/check.h"

namespace glimpse {
namespace {

const nlohmann::json& member(const nlohmann::json& entry, const char* name) {
  check(entry.is_object() && entry.contains(name), "an image without \"{}\"", name);
  return entry[name];
}

CaptionWords words_of(const nlohmann::json& list) {
  check(list.is_array(), "{} is no list of words", json_text(list));
  CaptionWords words;
  for (const nlohmann::json& word : list) {
    check(word.is_string(), "{} is no word", json_text(word));
    words.push_back(word);
  }
  return words;
}

}  // namespace

void write_run_captions(const std::string& path, const ImageList& images, const std::vector<CaptionWords>& captions,
                        WordRule rule) {
  nlohmann::ordered_json list = nlohmann::ordered_json::array();
  for (std::size_t i = 0; i < images.size(); ++i)
    list.push_back({{"filename", images[i]->filename},
                    {"subfolder", images[i]->subfolder},
                    {"caption", join_words(captions[i], rule)},
                    {"words", captions[i]},
                    {"rule", name_of(rule)},
                    {"references", images[i]->captions}});
  write_file_atomically(path, list.dump(1, ' ', false, nlohmann::json::error_handler_t::replace) + "\n");
}

std::vector<RunCaption> read_run_captions(const std::string& path) {
  std::vector<RunCaption> captions;
  parse_json_parts(
      read_utf8_file(path), path, [](std::string_view) { return false; },
      [&](const JsonPart& part) {
        const nlohmann::json& filename = member(part.value, "filename");
        check(filename.is_string(), "an image is named {}", json_text(filename));
        RunCaption& caption = captions.emplace_back();
        caption.image.filename = filename;
        if (part.value.contains("subfolder") && part.value["subfolder"].is_string())
          caption.image.subfolder = part.value["subfolder"];
        caption.words = words_of(member(part.value, "words"));
        if (part.value.contains("rule")) {
          const nlohmann::json& rule = part.value["rule"];
          const auto known = rule.is_string() ? choice_named<WordRule>(rule.get<std::string>()) : std::nullopt;
          check(known.has_value(), "words by the rule {}, which this Glimpse does not know", json_text(rule));
          caption.rule = *known;
        }
        const nlohmann::json& references = member(part.value, "references");
        check(references.is_array() && !references.empty(), "{} has no references", json_text(filename));
        for (const nlohmann::json& reference : references) caption.image.captions.push_back(words_of(reference));
      });
  check(!captions.empty(), "{}: no captions of a run", path);
  return captions;
}

}  // namespace glimpse
