#pragma once
// What `caption` writes: to stdout as text, JSON or CSV, and in files beside the photographs.

#include <set>
#include <string>
#include <vector>

#include "glimpse/models/captioner/captioner.h"

namespace glimpse::tools {

enum class CaptionFormat { text, json, csv };

/// Writes results to stdout as they come. All formats hold the same captions of an image, the best first.
class CaptionOutput {
 public:
  CaptionOutput(CaptionFormat format, bool pictures) : format_(format), with_pictures_(pictures) {}

  /// What stands before the first result.
  void begin();
  /// `pictures` are the files that show where the model looked.
  void add(const std::string& path, const std::vector<ImageCaption>& captions,
           const std::vector<std::string>& pictures);
  void finish();

 private:
  CaptionFormat format_;
  bool with_pictures_;
  bool first_ = true;
};

/// A field of CSV as RFC 4180 has it: in quotes where it holds a comma, a quote, a line end, or a blank at its ends.
std::string csv_field(const std::string& text);

/// The captions of IMAGE.jpg in a file of its own, IMAGE.txt or IMAGE.xmp.
class Sidecars {
 public:
  /// Text: one caption a line. XMP: the best one as dc:description (ISO 16684-1).
  enum class Kind { text, xmp };
  /// `replace` lets a file that is there be replaced; one of XMP only where Glimpse has written it.
  Sidecars(Kind kind, bool replace) : kind_(kind), replace_(replace) {}

  /// Throws Error for a file that is there and may not be replaced, and where it cannot be written.
  void write(const std::string& image, const std::vector<ImageCaption>& captions);

 private:
  Kind kind_;
  bool replace_;
  std::set<std::string> written_;
};

}  // namespace glimpse::tools
