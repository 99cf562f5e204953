// Karpathy's and COCO's JSON. Files reach 150 MB, so each image is taken out of the document as soon as it is parsed.
#include <filesystem>
#include <map>
#include <utility>

#include "glimpse/data/internal/caption_parts.h"
#include "glimpse/engine/io/internal/json.h"
#include "glimpse/engine/io/text_file.h"
#include "glimpse/kernels/base/check.h"
#include "glimpse/kernels/base/utf8.h"

namespace glimpse::caption_files {
namespace {

using nlohmann::json;

const json& member(const json& object, const char* name, const std::string& what) {
  check(object.is_object(), "{} is {}, expected an object", what, json_text(object));
  const auto found = object.find(name);
  check(found != object.end(), "{} has no '{}'", what, name);
  return *found;
}

/// A text that must be there; `what` names the object in the error.
const std::string& text_member(const json& object, const char* name, const std::string& what) {
  const json& value = member(object, name, what);
  check(value.is_string(), "'{}' of {} is {}, of the wrong type; expected text", name, what, json_text(value));
  return value.get_ref<const std::string&>();
}

/// Ids are whole numbers or texts.
std::string id_text(const json& value, const char* name, const std::string& what) {
  check(value.is_number_integer() || value.is_string(),
        "'{}' of {} is {}, of the wrong type; expected a whole number or text", name, what, json_text(value));
  return value.is_string() ? value.get<std::string>() : value.dump();
}

std::vector<std::string> words_member(const json& object, const char* name, const std::string& what) {
  const json& value = member(object, name, what);
  check(value.is_array(), "'{}' of {} is {}, of the wrong type; expected a list of words", name, what,
        json_text(value));
  std::vector<std::string> words;
  for (const json& word : value) {
    if (!word.is_string()) fail("'{}' of {} holds {}, of the wrong type; expected words", name, what, json_text(word));
    words.push_back(word.get<std::string>());
  }
  return words;
}

std::string karpathy_split(const std::string& split, const std::string& what) {
  if (split == "restval") return "train";  // COCO's validation images that are not in Karpathy's val or test
  check(split == "train" || split == "val" || split == "test",
        "{} has split '{}', expected train, restval, val or test", what, printable(split, 40));
  return split;
}

/// Takes the objects of "images" and "annotations" one by one.
class Reader {
 public:
  Reader(const std::string& path, Collector& collector) : collector_(collector) {
    const std::string name = std::filesystem::path(path).stem().string();
    for (const char* split : {"train", "val", "test"})
      if (coco_split_.empty() && name.find(split) != std::string::npos) coco_split_ = split;
    constexpr std::string_view start = "captions_";
    if (name.starts_with(start)) coco_folder_ = name.substr(start.size());
  }

  void take(const JsonPart& part) {
    check(part.index >= 0, "'{}' is {}, expected a list", part.section, json_text(part.value));
    const std::string what = fmt::format("{}[{}]", part.section, part.index);
    if (part.section == "images")
      take_image(part.value, what);
    else
      annotations_[id_text(member(part.value, "image_id", what), "image_id", what)].push_back(
          text_member(part.value, "caption", what));
  }

  /// Joins COCO's annotations with its images, which may stand in any order.
  void finish() {
    check(karpathy_ || coco_,
          "it lists no images: neither Karpathy's form (images[].sentences) nor COCO's (images, annotations)");
    check(!karpathy_ || !coco_, "images with and without 'sentences'");
    for (const auto& [id, captions] : annotations_) {
      const auto name = coco_names_.find(id);
      check(name != coco_names_.end(), "captions for image_id {}, which is not among the images", printable(id, 40));
      for (const std::string& caption : captions) collector_.add_text(collector_.image(name->second), caption);
    }
  }

 private:
  void take_image(const json& parsed, const std::string& what) {
    check(parsed.is_object(), "{} is {}, expected an object", what, json_text(parsed));
    if (parsed.contains("file_name") && !parsed.contains("filename"))
      take_coco_image(parsed, what);
    else
      take_karpathy_image(parsed, what);
  }

  void take_coco_image(const json& parsed, const std::string& what) {
    coco_ = true;
    const std::string& name = text_member(parsed, "file_name", what);
    check(!name.empty(), "{} has an empty 'file_name'", what);
    if (collector_.find(name)) collector_.note_repeated(name);
    CaptionedImage& image = collector_.image(name);
    image.split = coco_split_;
    image.subfolder = coco_folder_;
    image.id = id_text(member(parsed, "id", what), "id", what);
    const auto [before, is_new] = coco_names_.try_emplace(image.id, name);
    check(is_new || before->second == name, "{} has id {}, as {} has", what, printable(image.id, 40),
          printable(before->second));
  }

  void take_karpathy_image(const json& parsed, const std::string& what) {
    karpathy_ = true;
    const std::string& name = text_member(parsed, "filename", what);
    check(!name.empty(), "{} has an empty 'filename'", what);
    const bool has_split = parsed.contains("split");
    if (std::exchange(first_image_, false)) has_splits_ = has_split;
    check(has_split == has_splits_, "{} has {}'split', but images[0] has {}", what, has_split ? "a " : "no ",
          has_splits_ ? "one" : "none");
    const std::string split = has_split ? karpathy_split(text_member(parsed, "split", what), what) : "";
    if (const CaptionedImage* before = collector_.find(name)) {
      check(before->split == split, "{} is listed in split {} and in split {}", printable(name), before->split, split);
      collector_.note_repeated(name);
    }
    CaptionedImage& image = collector_.image(name);
    image.split = split;
    for (const char* id : {"imgid", "cocoid"})
      if (parsed.contains(id)) image.id = id_text(parsed[id], id, what);
    if (parsed.contains("filepath")) image.subfolder = text_member(parsed, "filepath", what);
    if (parsed.contains("sentences")) take_sentences(parsed["sentences"], image, what + ".sentences");
  }

  void take_sentences(const json& sentences, CaptionedImage& image, const std::string& what) {
    check(sentences.is_array(), "{} is {}, of the wrong type; expected a list", what, json_text(sentences));
    for (const json& sentence : sentences) {
      check(sentence.is_object(), "{} holds {}, expected objects", what, json_text(sentence));
      if (sentence.contains("tokens"))
        collector_.add_words(image, words_member(sentence, "tokens", what));
      else
        collector_.add_text(image, text_member(sentence, "raw", what));
    }
  }

  Collector& collector_;
  std::string coco_split_, coco_folder_;
  bool karpathy_ = false, coco_ = false, first_image_ = true, has_splits_ = false;
  std::unordered_map<std::string, std::string> coco_names_;
  std::map<std::string, std::vector<std::string>> annotations_;
};

}  // namespace

void read_json(const std::string& path, std::string_view text, Collector& collector) {
  Reader reader(path, collector);
  parse_json_parts(
      text, path, [](std::string_view section) { return section == "images" || section == "annotations"; },
      [&](const JsonPart& part) { reader.take(part); });
  try {
    reader.finish();
  } catch (const Error& error) {
    fail("{}: {}", path, error.what());
  }
}

}  // namespace glimpse::caption_files
