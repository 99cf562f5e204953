#pragma once
// CIDEr-D of one caption after another, as training by it needs.

#include <cstddef>
#include <memory>
#include <vector>

#include "glimpse/data/metrics.h"

namespace glimpse {

/// Knows the references of a set of images, from which the document frequencies come. What score_captions gives for a
/// caption among captions of all these images, this gives for it alone.
class CiderD {
 public:
  /// references[image], each with at least one. Throws Error otherwise.
  explicit CiderD(std::vector<std::vector<CaptionWords>> references);
  ~CiderD();
  CiderD(CiderD&&) noexcept;
  CiderD& operator=(CiderD&&) noexcept;

  /// Of a caption of image number `image`. One call at a time.
  double operator()(std::size_t image, const CaptionWords& caption);

 private:
  struct Counted;
  std::unique_ptr<Counted> counted_;
};

}  // namespace glimpse
