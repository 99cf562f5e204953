#include "glimpse/models/training/retrieval.h"

#include <algorithm>
#include <limits>
#include <set>

#include "glimpse/engine/autograd.h"
#include "glimpse/kernels/base/check.h"

namespace glimpse {
namespace {

// Pairs that are scored together: so many images with each of so many captions.
constexpr std::int64_t image_block = 8;
constexpr std::int64_t caption_block = 32;

/// The captions of all images, one after another.
struct Captions {
  std::vector<std::vector<std::int32_t>> words;  // <start> to <end>
  std::vector<const CaptionWords*> text;
  std::vector<std::int64_t> image;
};

Captions captions_of(const CaptionModel& model, const ImageList& images) {
  Captions captions;
  for (std::size_t i = 0; i < images.size(); ++i)
    for (const CaptionWords& words : images[i]->captions) {
      captions.words.push_back(model.vocabulary.encode(words));
      captions.text.push_back(&words);
      captions.image.push_back(static_cast<std::int64_t>(i));
    }
  return captions;
}

/// log p of captions [begin,end) given each of the images whose features (I,L,D) are given: [image][caption].
std::vector<std::vector<double>> block(const CaptionModel& model, const Tensor& features, const Captions& captions,
                                       std::int64_t begin, std::int64_t end) {
  std::vector<std::vector<std::int32_t>> words;
  std::vector<std::int64_t> image;
  for (std::int64_t i = 0; i < features.size(0); ++i)
    for (std::int64_t c = begin; c < end; ++c) {
      words.push_back(captions.words[c]);
      image.push_back(i);
    }
  const std::vector<double> all = model.decoder.log_probabilities(features, make_token_batch(words, image));
  std::vector<std::vector<double>> result;
  for (auto row = all.begin(); row != all.end(); row += end - begin) result.emplace_back(row, row + (end - begin));
  return result;
}

class Retrieval {
 public:
  Retrieval(const CaptionModel& model, const ImageList& images, const FeatureFunction& features, const Watch& watch)
      : model_(model), images_(images), features_(features), watch_(watch), captions_(captions_of(model, images)) {}

  RetrievalScores run() {
    own_.resize(captions_.words.size());
    each_block([&](std::int64_t first, std::int64_t last, const Tensor& x) { score_own(first, last, x); });
    caption_rank_.assign(images_.size(), 1);
    image_rank_.assign(captions_.words.size(), 1);
    each_block([&](std::int64_t first, std::int64_t last, const Tensor& x) { rank(first, last, x); });
    return {std::ssize(images_), std::ssize(captions_.words), retrieval_ranks(caption_rank_),
            retrieval_ranks(image_rank_)};
  }

 private:
  template <class F>
  void each_block(F f) {
    for (std::int64_t first = 0; first < std::ssize(images_); first += image_block) {
      const std::int64_t last = std::min(first + image_block, std::ssize(images_));
      f(first, last, features_({images_.begin() + first, images_.begin() + last}));
    }
  }

  /// The captions of images [first,last), each given its own image.
  void score_own(std::int64_t first, std::int64_t last, const Tensor& x) {
    std::vector<std::vector<std::int32_t>> words;
    std::vector<std::int64_t> image;
    const auto at = [&](std::int64_t i) {
      return std::lower_bound(captions_.image.begin(), captions_.image.end(), i) - captions_.image.begin();
    };
    for (std::int64_t c = at(first); c < at(last); ++c) {
      words.push_back(captions_.words[c]);
      image.push_back(captions_.image[c] - first);
    }
    const std::vector<double> scores = model_.decoder.log_probabilities(x, make_token_batch(words, image));
    std::copy(scores.begin(), scores.end(), own_.begin() + at(first));
  }

  /// Counts who does better than the right answers, for images [first,last).
  void rank(std::int64_t first, std::int64_t last, const Tensor& x) {
    std::vector<std::set<CaptionWords>> right(static_cast<std::size_t>(last - first));
    std::vector<double> best(right.size(), -std::numeric_limits<double>::infinity());
    for (std::size_t c = 0; c < own_.size(); ++c) {
      const std::int64_t i = captions_.image[c] - first;
      if (i < 0 || i >= last - first) continue;
      right[i].insert(*captions_.text[c]);
      best[i] = std::max(best[i], own_[c]);
    }
    for (std::int64_t begin = 0; begin < std::ssize(own_); begin += caption_block) {
      const std::int64_t end = std::min(begin + caption_block, std::ssize(own_));
      const std::vector<std::vector<double>> scores = block(model_, x, captions_, begin, end);
      for (std::int64_t i = 0; i < last - first; ++i)
        for (std::int64_t c = begin; c < end; ++c) {
          const double score = scores[i][c - begin];
          if (captions_.image[c] == first + i) continue;
          image_rank_[c] += score >= own_[c];
          caption_rank_[first + i] += score >= best[i] && !right[i].contains(*captions_.text[c]);
        }
      done_ += (last - first) * (end - begin);
      if (watch_ && !watch_(done_)) throw Stopped();
    }
  }

  const CaptionModel& model_;
  const ImageList& images_;
  const FeatureFunction& features_;
  const Watch& watch_;
  Captions captions_;
  std::vector<double> own_;                              // log p of each caption given its image
  std::vector<std::int64_t> caption_rank_, image_rank_;  // of the images' and of the captions' right answers
  std::int64_t done_ = 0;
};

}  // namespace

RetrievalRanks retrieval_ranks(std::vector<std::int64_t> ranks) {
  check(!ranks.empty(), "retrieval: no queries");
  std::sort(ranks.begin(), ranks.end());
  const auto within = [&](std::int64_t k) {
    const auto found = std::upper_bound(ranks.begin(), ranks.end(), k) - ranks.begin();
    return static_cast<double>(found) / static_cast<double>(ranks.size());
  };
  const std::size_t middle = ranks.size() / 2;
  const auto median = static_cast<double>(ranks[middle] + ranks[(ranks.size() - 1) / 2]) / 2;
  return {within(1), within(5), within(10), median};
}

RetrievalScores retrieve(const CaptionModel& model, const ImageList& images, const FeatureFunction& features,
                         const Watch& watch) {
  check(images.size() >= 2, "retrieval: {} images, at least 2 are needed", images.size());
  const NoGrad no_grad;
  return Retrieval(model, images, features, watch).run();
}

ImageList evenly_spaced(const ImageList& images, std::int64_t count) {
  const std::int64_t all = std::ssize(images), kept = std::min(count, all);
  ImageList result;
  for (std::int64_t k = 0; k < kept; ++k) result.push_back(images[k * all / kept]);
  return result;
}

}  // namespace glimpse
