#pragma once
// Caption files of the known data sets, read into one form.

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace glimpse {

/// One photograph and what people wrote about it.
struct CaptionedImage {
  std::string filename;   ///< as the caption file names it; unique in a CaptionSet
  std::string subfolder;  ///< where it may lie below the image folder (COCO's "val2014"), or ""
  std::string split;      ///< "train", "val" or "test"
  std::vector<std::vector<std::string>> captions;  ///< words of each caption
};

/// The content of a caption file, in the file's order, each image once.
struct CaptionSet {
  std::vector<CaptionedImage> images;         ///< every image that has a caption and a split
  std::vector<std::string> listed_twice;      ///< images that the file lists more than once; their captions were joined
  std::vector<std::string> without_captions;  ///< images that the file or a split list names but does not describe
  std::vector<std::string> without_split;     ///< described images that no split list names

  /// The images of one split ("train", "val", "test"), in order. Valid while the set is not changed.
  std::vector<const CaptionedImage*> split(std::string_view name) const;
};

/// Reads a caption file; its form is recognised by its content:
/// - Karpathy's JSON (dataset_flickr8k.json, dataset_flickr30k.json, dataset_coco.json); split "restval" is train;
/// - COCO's captions JSON; the split is that in the file's name (captions_train2014.json); a folder stands for all
///   captions_*.json in it;
/// - Kaggle's captions.txt (image,caption with a header line) and Flickr8k.token.txt (name.jpg#0 TAB caption).
/// The last two need `splits_folder` with one list of image names each for train, val (or dev) and perhaps test, such
/// as Flickr_8k.trainImages.txt, Flickr_8k.devImages.txt, Flickr_8k.testImages.txt; given with the others, the lists
/// replace their splits. An image in two splits is an error. Captions of an image that is listed twice are joined, and
/// those that it has already are dropped. Raw text goes through tokenize(). Throws Error naming the file and the line
/// or byte where it is broken, and when no image has a caption.
CaptionSet read_captions(const std::string& path, const std::string& splits_folder = "");

/// Words of raw text as in Karpathy's JSON: lower case, all but a-z, 0-9 and white space removed, cut at white space.
std::vector<std::string> tokenize(std::string_view text);

/// The words with blanks between them.
std::string join_words(const std::vector<std::string>& words);

/// Where an image lies: folder/subfolder/filename if that exists, else folder/filename. Throws Error for a name that
/// leads out of the folder: one that is absolute or holds "..".
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
