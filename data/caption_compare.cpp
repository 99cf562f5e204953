// Captions that another system has written, as JSON.
#include <filesystem>
#include <unordered_map>

#include "glimpse/data/captions.h"
#include "glimpse/engine/io/internal/json.h"
#include "glimpse/engine/io/text_file.h"
#include "glimpse/kernels/base/check.h"
#include "glimpse/kernels/base/utf8.h"

namespace glimpse {
namespace {

using nlohmann::json;

constexpr const char* expected =
    "expected [{\"filename\": ..., \"caption\": ...}, ...], COCO's results [{\"image_id\": ..., \"caption\": ...}, "
    "...] or "
    "{\"a.jpg\": \"caption\", ...}";

/// Captions by the name or the id of an image.
struct Compared {
  std::unordered_map<std::string, std::string> by_name, by_id;

  void add(bool is_id, const std::string& key, const std::string& caption) {
    const auto [before, is_new] = (is_id ? by_id : by_name).try_emplace(key, caption);
    check(is_new || before->second == caption, "a second caption for '{}'", printable(key));
  }
};

std::string key_text(const json& value) {
  check(value.is_string() || value.is_number_integer(), "an image is named {}; {}", json_text(value), expected);
  return value.is_string() ? value.get<std::string>() : value.dump();
}

/// The text of "caption": itself, or the only one of a list.
const std::string& caption_text(const json& value) {
  const json& text = value.is_array() && value.size() == 1 ? value[0] : value;
  check(text.is_string(), "a caption is {}; {}", json_text(value), expected);
  return text.get_ref<const std::string&>();
}

void take_entry(const json& entry, Compared& compared) {
  check(entry.is_object() && entry.contains("caption"), "{} is no caption of an image; {}", json_text(entry), expected);
  for (const char* name : {"filename", "file_name", "image"})
    if (entry.contains(name)) return compared.add(false, key_text(entry[name]), caption_text(entry["caption"]));
  for (const char* id : {"image_id", "imgid", "cocoid"})
    if (entry.contains(id)) return compared.add(true, key_text(entry[id]), caption_text(entry["caption"]));
  fail("an entry without image; {}", expected);
}

Compared read_compared(const std::string& path) {
  Compared compared;
  parse_json_parts(
      read_utf8_file(path), path, [](std::string_view) { return true; },
      [&](const JsonPart& part) {
        if (part.index >= 0)
          take_entry(part.value, compared);
        else
          compared.add(false, part.section, caption_text(part.value));
      });
  check(!compared.by_name.empty() || !compared.by_id.empty(), "{}: no caption in it; {}", path, expected);
  return compared;
}

/// Words of a caption, `<unk>` kept.
std::vector<std::string> words_of(std::string_view caption, WordRule rule) {
  constexpr std::string_view unknown = "<unk>";
  std::vector<std::string> words;
  while (true) {
    const std::size_t mark = caption.find(unknown);
    for (std::string& word : tokenize(caption.substr(0, mark), rule)) words.push_back(std::move(word));
    if (mark == std::string_view::npos) return words;
    words.emplace_back(unknown);
    caption.remove_prefix(mark + unknown.size());
  }
}

const std::string* caption_of(const CaptionedImage& image, const Compared& compared) {
  const std::filesystem::path path(image.filename);
  for (const std::string& name : {image.filename, path.filename().string()}) {
    const auto found = compared.by_name.find(name);
    if (found != compared.by_name.end()) return &found->second;
  }
  // Ids of results may also be names, with the extension or without.
  for (const std::string& id : {image.id, image.filename, path.stem().string()}) {
    const auto found = compared.by_id.find(id);
    if (!id.empty() && found != compared.by_id.end()) return &found->second;
  }
  return nullptr;
}

}  // namespace

std::vector<std::vector<std::string>> read_compared_captions(const std::string& path,
                                                             const std::vector<const CaptionedImage*>& images,
                                                             WordRule rule) {
  const Compared compared = read_compared(path);
  std::vector<std::vector<std::string>> captions;
  const CaptionedImage* first_missing = nullptr;
  std::size_t missing = 0;
  for (const CaptionedImage* image : images) {
    const std::string* caption = caption_of(*image, compared);
    captions.push_back(caption ? words_of(*caption, rule) : std::vector<std::string>{});
    if (caption) continue;
    if (missing++ == 0) first_missing = image;
  }
  if (missing == 0) return captions;
  const bool by_name = !compared.by_name.empty();
  fail("{}: no caption for {} of the {} images, the first is '{}'{}; the file names '{}'", path, missing, images.size(),
       printable(first_missing->filename),
       by_name || first_missing->id.empty() ? "" : " with id " + printable(first_missing->id, 40),
       printable((by_name ? compared.by_name : compared.by_id).begin()->first));
}

}  // namespace glimpse
