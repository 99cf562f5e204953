#pragma once
// Caption files of the known data sets, read into one form.

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "glimpse/data/words.h"

namespace glimpse {

/// One photograph and what people wrote about it.
struct CaptionedImage {
  std::string filename;   ///< as the caption file names it; unique in a CaptionSet
  std::string subfolder;  ///< where it may lie below the image folder (COCO's "val2014"), or ""
  std::string split;      ///< "train", "val" or "test"
  std::vector<std::vector<std::string>> captions;  ///< words of each caption
  std::string id = "";  ///< COCO's id, or Karpathy's cocoid or imgid; what results name as image_id; else ""
};

/// The content of a caption file, in the file's order, each image once.
struct CaptionSet {
  std::vector<CaptionedImage> images;         ///< every image that has a caption and a split
  std::vector<std::string> listed_twice;      ///< images that the file lists more than once; their captions were joined
  std::vector<std::string> without_captions;  ///< images that the file or a split list names but does not describe
  std::vector<std::string> without_split;     ///< described images that no split list names
  WordRule rule = WordRule::unicode;  ///< how the words were made; tokenize other captions by it to compare them

  /// The images of one split ("train", "val", "test"), in order. Valid while the set is not changed.
  std::vector<const CaptionedImage*> split(std::string_view name) const;
};

/// Reads a caption file; its form is recognised by its content:
/// - Karpathy's JSON (dataset_flickr8k.json, dataset_flickr30k.json, dataset_coco.json); split "restval" is train;
/// - COCO's captions JSON; split and subfolder are those in the file's name (captions_train2017.json); a folder stands
///   for all captions_*.json in it or in its folder "annotations";
/// - a table (RFC 4180; separator , ; | or tab) with a column for the image, one or more for captions, perhaps one for
///   the split, known by their headers (Kaggle's captions.txt, Flickr30k's results.csv), or by an image's name in the
///   first line;
/// - Flickr8k.token.txt (name.jpg#0 TAB caption).
/// Where the file names no splits, `splits_folder` has one list of image names each for train, val (or dev) and perhaps
/// test, such as Flickr_8k.trainImages.txt, Flickr_8k.devImages.txt, Flickr_8k.testImages.txt; given with files that
/// do, the lists replace their splits. Names in lists may lack folder and extension. An image in two splits is an
/// error. Captions of an image that is listed twice are joined, and those that it has already are dropped. All files
/// are read by read_utf8_file(). Raw text goes through tokenize() by `rule`, else by WordRule::unicode; words that the
/// file has cut stay as they are. Throws Error naming the file and the line where it is broken, when no image has a
/// caption, and when no name of the lists is one of the file.
CaptionSet read_captions(const std::string& path, const std::string& splits_folder = "",
                         std::optional<WordRule> rule = std::nullopt);

/// What stands for each image in the file of another captioner: words by image. Forms: [{"filename" or "file_name" or
/// "image", "caption"}, ...], COCO's results [{"image_id", "caption"}, ...], {"a.jpg": "caption", ...}. The result has
/// one entry for each of `images`. `<unk>` is a word; the rest goes through tokenize() by `rule`. Throws Error that
/// names the file, and one image without caption together with one name of the file where names do not match.
std::vector<std::vector<std::string>> read_compared_captions(const std::string& path,
                                                             const std::vector<const CaptionedImage*>& images,
                                                             WordRule rule);

/// Where an image lies: the first of folder/subfolder/filename, folder/filename, and folder/name without its folders,
/// that exists; folder/filename where none does. Throws Error for a name that leads out of the folder: one that is
/// absolute or holds "..".
std::string image_path(const std::string& folder, const CaptionedImage& image);

/// What check_images found; every list holds "name: reason".
struct DatasetReport {
  std::vector<std::string> bad;    ///< images that cannot be used, and why
  std::vector<std::string> notes;  ///< what was repaired or left out without harm (listed twice, in no split)
  std::int64_t usable = 0;         ///< images left in the set
  /// A few lines for people: counts, and one line per entry of `bad`.
  std::string text() const;
};

struct CheckOptions {
  bool skip_bad = false;  ///< drop bad images from the set instead of throwing
  bool decode = true;  ///< decode every image (all threads); without it only existence, size and header are looked at
  std::int64_t max_pixels = 178'956'970;  ///< larger images are bad (ImageOptions)
};

/// Looks at every image of `set` in `folder`: missing, empty, unreadable, truncated, too large, without captions.
/// Throws Error with the whole list when one is bad, unless skip_bad: then the bad ones are dropped from `set` and
/// reported. Throws Error also when none is left.
DatasetReport check_images(CaptionSet& set, const std::string& folder, const CheckOptions& options = {});

}  // namespace glimpse
