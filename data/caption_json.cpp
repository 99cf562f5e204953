// Karpathy's and COCO's JSON. Files reach 150 MB, so each image is taken out of the document as soon as it is parsed.
#include <filesystem>
#include <map>
#include <nlohmann/json.hpp>

#include "glimpse/data/internal/caption_parts.h"
#include "glimpse/kernels/base/check.h"

namespace glimpse::caption_files {
namespace {

using nlohmann::json;

/// A member that must be there and have a type; `what` names the object in the error.
template <class T>
T member(const json& object, const char* name, const std::string& what) {
  const auto found = object.find(name);
  check(found != object.end(), "{} has no '{}'", what, name);
  try {
    return found->get<T>();
  } catch (const json::exception&) {
    fail("'{}' of {} is {}, of the wrong type", name, what, found->dump());
  }
}

std::string karpathy_split(const std::string& split, const std::string& what) {
  if (split == "restval") return "train";  // COCO's validation images that are not in Karpathy's val or test
  check(split == "train" || split == "val" || split == "test",
        "{} has split '{}', expected train, restval, val or test", what, split);
  return split;
}

/// Takes the objects of "images" and "annotations" one by one.
class Reader {
 public:
  Reader(const std::string& path, Collector& collector) : collector_(collector) {
    const std::string name = std::filesystem::path(path).filename().string();
    for (const char* split : {"train", "val", "test"})
      if (coco_split_.empty() && name.find(split) != std::string::npos) coco_split_ = split;
  }

  /// Whether the document keeps what was parsed.
  bool take(int depth, json::parse_event_t event, json& parsed) {
    if (event == json::parse_event_t::key && depth == 1) section_ = parsed.get<std::string>();
    if (event != json::parse_event_t::object_end || depth != 2) return true;
    if (section_ == "images") take_image(parsed);
    if (section_ == "annotations") take_annotation(parsed);
    return false;
  }

  /// Joins COCO's annotations with its images, which may stand in any order.
  void finish() {
    check(images_ > 0,
          "it lists no images: neither Karpathy's form (images[].sentences) nor COCO's (images, annotations)");
    check(!karpathy_ || !coco_, "images with and without 'sentences'");
    for (auto& [id, captions] : annotations_) {
      const auto name = coco_names_.find(id);
      check(name != coco_names_.end(), "captions for image_id {}, which is not among the images", id);
      for (auto& words : captions) collector_.add(collector_.image(name->second), std::move(words));
    }
  }

 private:
  void take_image(const json& parsed) {
    const std::string what = fmt::format("images[{}]", images_++);
    if (parsed.contains("file_name") && !parsed.contains("filename")) {
      coco_ = true;
      const std::string name = member<std::string>(parsed, "file_name", what);
      if (collector_.find(name)) collector_.note_repeated(name);
      collector_.image(name).split = coco_split_;
      coco_names_[member<std::int64_t>(parsed, "id", what)] = name;
      return;
    }
    karpathy_ = true;
    const std::string name = member<std::string>(parsed, "filename", what);
    const std::string split = karpathy_split(member<std::string>(parsed, "split", what), what);
    if (const CaptionedImage* before = collector_.find(name)) {
      check(before->split == split, "{} is listed in split {} and in split {}", name, before->split, split);
      collector_.note_repeated(name);
    }
    CaptionedImage& image = collector_.image(name);
    image.split = split;
    if (parsed.contains("filepath")) image.subfolder = member<std::string>(parsed, "filepath", what);
    if (!parsed.contains("sentences")) return;
    for (const json& sentence : member<json::array_t>(parsed, "sentences", what)) {
      const std::string which = what + ".sentences";
      check(sentence.is_object(), "{} holds {}, expected objects", which, sentence.dump());
      collector_.add(image, sentence.contains("tokens") ? member<std::vector<std::string>>(sentence, "tokens", which)
                                                        : tokenize(member<std::string>(sentence, "raw", which)));
    }
  }

  void take_annotation(const json& parsed) {
    const std::string what = fmt::format("annotations[{}]", annotation_count_++);
    annotations_[member<std::int64_t>(parsed, "image_id", what)].push_back(
        tokenize(member<std::string>(parsed, "caption", what)));
  }

  Collector& collector_;
  std::string section_, coco_split_;
  std::int64_t images_ = 0, annotation_count_ = 0;
  bool karpathy_ = false, coco_ = false;
  std::unordered_map<std::int64_t, std::string> coco_names_;
  std::map<std::int64_t, std::vector<std::vector<std::string>>> annotations_;
};

}  // namespace

void read_json(const std::string& path, std::string_view text, Collector& collector) {
  try {
    Reader reader(path, collector);
    const json document = json::parse(
        text, [&](int depth, json::parse_event_t event, json& parsed) { return reader.take(depth, event, parsed); });
    reader.finish();
  } catch (const json::parse_error& error) {
    if (error.byte > text.size()) fail("{}: JSON ends in the middle, at byte {}", path, text.size());
    fail("{}: JSON is broken at byte {} of {}", path, error.byte, text.size());
  } catch (const Error& error) {
    fail("{}: {}", path, error.what());
  }
}

}  // namespace glimpse::caption_files
