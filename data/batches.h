#pragma once
// Which captions go into which batch, in which order.

#include <array>
#include <cstdint>
#include <vector>

#include "glimpse/data/captions.h"
#include "glimpse/kernels/base/choice.h"

namespace glimpse {

/// Caption `caption` of image `image`.
struct CaptionIndex {
  std::int32_t image = 0;
  std::int32_t caption = 0;
  bool operator==(const CaptionIndex&) const = default;
};

/// What captions of one batch have in common.
enum class Grouping : std::uint8_t {
  by_length,  ///< they are about equally long, so that little is padded
  by_image    ///< all captions of an image stand together: encoder, keys and reads of features serve all of them
};
constexpr auto choices(Grouping) {
  return std::array{Choice{Grouping::by_length, "length"}, Choice{Grouping::by_image, "image"}};
}

/// Cuts all captions of a split into batches. The batches of an epoch depend on (seed, epoch) alone, so that a run can
/// go on from any position exactly.
class BatchSampler {
 public:
  /// Where the sampler stands: batch `position` of epoch `epoch` comes next.
  struct State {
    std::int64_t epoch = 0;
    std::int64_t position = 0;
    bool operator==(const State&) const = default;
  };
  struct Batch {
    std::vector<CaptionIndex> items;
    State state;        ///< of the batch itself
    State next;         ///< what set_state needs to go on after it
    bool last = false;  ///< of its epoch
  };

  /// lengths[image][caption] in words. Grouped by length, captions that differ by up to `jitter` words may meet in a
  /// batch; 0 gives the purest buckets. Throws Error when there is no caption, for batch_size < 1 and for jitter < 0.
  BatchSampler(std::vector<std::vector<std::int32_t>> lengths, std::int64_t batch_size, std::uint64_t seed,
               Grouping grouping = Grouping::by_length, double jitter = 2);

  /// The next batch; goes on to the next epoch without end. Every epoch holds each caption once; the batch that is not
  /// full comes at a random place.
  Batch next();
  /// Batch `position` of epoch `epoch`.
  std::vector<CaptionIndex> batch(State state);

  std::int64_t captions() const { return captions_; }
  std::int64_t batches_per_epoch() const;
  State state() const { return state_; }
  /// Throws Error for a position past the epoch's end or a negative one.
  void set_state(State state);

 private:
  void prepare(std::int64_t epoch);
  std::vector<CaptionIndex> order_by_length(std::int64_t epoch) const;
  std::vector<CaptionIndex> order_by_image(std::int64_t epoch) const;

  std::vector<std::vector<std::int32_t>> lengths_;
  std::int64_t captions_ = 0, batch_size_;
  std::uint64_t seed_;
  Grouping grouping_;
  double jitter_;
  State state_;
  std::int64_t prepared_epoch_ = -1;
  std::vector<CaptionIndex> order_;        // of prepared_epoch_, batch after batch before their shuffle
  std::vector<std::int32_t> batch_order_;  // of prepared_epoch_
};

/// lengths[image][caption] of a split, for BatchSampler; captions longer than `max_words` > 0 count as that.
std::vector<std::vector<std::int32_t>> caption_lengths(const std::vector<const CaptionedImage*>& images,
                                                       std::int64_t max_words = 0);

/// Images 0 .. count-1 in order, cut into batches: each image once, for evaluation. Throws Error for batch_size < 1.
std::vector<std::vector<std::int32_t>> image_batches(std::int64_t count, std::int64_t batch_size);

}  // namespace glimpse
