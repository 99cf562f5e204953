#include "evaluation.h"

#include <algorithm>

#include "glimpse/data/batches.h"
#include "glimpse/engine/autograd.h"
#include "glimpse/kernels/base/check.h"

namespace glimpse::tools {
namespace {

/// Captions scored together by the teacher-forced pass; bounds its memory.
constexpr std::size_t forced_batch = 128;

ImageList pick(const ImageList& images, const std::vector<std::int32_t>& indices) {
  ImageList result;
  for (const std::int32_t i : indices) result.push_back(images[static_cast<std::size_t>(i)]);
  return result;
}

struct ForcedSums {
  double loss = 0;
  std::int64_t words = 0, hits = 0;
};

/// Adds the captions of `images`, whose features (N,L,D) are given.
void add_forced(const Decoder& decoder, const Vocabulary& vocabulary, const ImageList& images, const Tensor& features,
                ForcedSums& sums) {
  std::vector<std::vector<std::int32_t>> captions;
  std::vector<std::int32_t> image_of;
  for (std::size_t i = 0; i < images.size(); ++i)
    for (const CaptionWords& caption : images[i]->captions) {
      captions.push_back(vocabulary.encode(caption));
      image_of.push_back(static_cast<std::int32_t>(i));
    }
  LossOptions options;
  options.doubly_stochastic = 0;
  options.train = false;
  options.count_top5 = true;
  Generator unused(1);
  for (std::size_t begin = 0; begin < captions.size(); begin += forced_batch) {
    const std::size_t end = std::min(begin + forced_batch, captions.size());
    const auto at = [](auto& list, std::size_t i) { return list.begin() + static_cast<std::ptrdiff_t>(i); };
    const TokenBatch batch = make_token_batch({at(captions, begin), at(captions, end)});
    std::vector<std::int32_t> rows;
    for (const std::int64_t r : batch.order) rows.push_back(image_of[begin + static_cast<std::size_t>(r)]);
    const DecoderLoss loss =
        decoder.loss(gather_rows(features, from(rows).to(features.device())), batch, unused, options);
    sums.loss += loss.cross_entropy * static_cast<double>(loss.tokens);
    sums.words += loss.tokens;
    sums.hits += loss.top5_hits;
  }
}

std::vector<CaptionWords> first_captions(const std::vector<std::vector<Caption>>& captions,
                                         const Vocabulary& vocabulary) {
  std::vector<CaptionWords> result;
  for (const std::vector<Caption>& best : captions)
    result.push_back(best.empty() ? CaptionWords{} : vocabulary.decode(best.front().words));
  return result;
}

}  // namespace

DecodedSplit decode_split(const Decoder& decoder, const ImageList& images, const FeatureFunction& features,
                          const BeamOptions& options, std::int64_t batch, const Watch& watch) {
  const NoGrad no_grad;
  const Stopwatch total;
  DecodedSplit result;
  for (const std::vector<std::int32_t>& indices : image_batches(std::ssize(images), batch)) {
    const Tensor x = features(pick(images, indices));
    const Stopwatch beam;
    for (std::vector<Caption>& captions : beam_search(decoder, x, options))
      result.captions.push_back(std::move(captions));
    result.seconds += beam.seconds();
    if (watch && !watch(std::ssize(result.captions))) throw Stopped{};
  }
  result.total_seconds = total.seconds();
  return result;
}

std::vector<CaptionWords> best_captions(const DecodedSplit& decoded, const Vocabulary& vocabulary) {
  return first_captions(decoded.captions, vocabulary);
}

std::vector<std::vector<CaptionWords>> references_of(const ImageList& images) {
  std::vector<std::vector<CaptionWords>> result;
  for (const CaptionedImage* image : images) result.push_back(image->captions);
  return result;
}

Validation validate(const Decoder& decoder, const Vocabulary& vocabulary, const ImageList& images,
                    const FeatureFunction& features, const ValidationConfig& options, const Watch& watch) {
  const NoGrad no_grad;
  const Stopwatch stopwatch;
  BeamOptions beam;
  beam.beam = options.beam;
  beam.max_length = options.max_words + 1;
  Validation result;
  ForcedSums sums;
  for (const std::vector<std::int32_t>& indices : image_batches(std::ssize(images), options.batch)) {
    const ImageList part = pick(images, indices);
    const Tensor x = features(part);
    for (CaptionWords& caption : first_captions(beam_search(decoder, x, beam), vocabulary))
      result.captions.push_back(std::move(caption));
    add_forced(decoder, vocabulary, part, x, sums);
    if (watch && !watch(std::ssize(result.captions))) throw Stopped{};
  }
  result.scores = score_captions(result.captions, references_of(images));
  result.statistics = caption_statistics(result.captions);
  result.forced.loss = sums.loss / static_cast<double>(std::max<std::int64_t>(sums.words, 1));
  result.forced.top5 = static_cast<double>(sums.hits) / static_cast<double>(std::max<std::int64_t>(sums.words, 1));
  result.seconds = stopwatch.seconds();
  return result;
}

AttentionStatistic attention_statistic(const SceneDataset& scenes, const ImageList& images, const DecodedSplit& decoded,
                                       const Vocabulary& vocabulary, std::int64_t grid_height,
                                       std::int64_t grid_width) {
  AttentionStatistic result;
  for (std::size_t i = 0; i < images.size(); ++i) {
    const Caption& caption = decoded.captions[i].front();
    if (!caption.alphas.defined()) continue;
    const std::int64_t locations = caption.alphas.size(1);
    const Scene scene = scenes.scene(images[i]->filename);
    for (const NamedShape& shape : named_shapes(scene, vocabulary.decode(caption.words))) {
      const std::span<const float> weights(caption.alphas.data<float>() + shape.position * locations,
                                           static_cast<std::size_t>(locations));
      result.inside +=
          attention_inside(shape.mask, weights, static_cast<int>(grid_height), static_cast<int>(grid_width));
      result.area += static_cast<double>(shape.mask.area()) / (shape.mask.width * shape.mask.height);
      ++result.nouns;
    }
  }
  if (result.nouns > 0) {
    result.inside /= static_cast<double>(result.nouns);
    result.area /= static_cast<double>(result.nouns);
  }
  return result;
}

}  // namespace glimpse::tools
