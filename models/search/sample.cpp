#include "glimpse/models/search/sample.h"

#include <utility>

#include "glimpse/engine/autograd.h"
#include "glimpse/engine/dispatch.h"
#include "glimpse/engine/words.h"
#include "glimpse/kernels/base/check.h"
#include "glimpse/kernels/topk.h"
#include "glimpse/models/decoder/internal/parts.h"
#include "glimpse/models/search/internal/beam_step.h"

namespace glimpse {
namespace {

/// A word of each row, drawn from softmax(logits), logits (R,V): the largest of logits + Gumbel noise falls on each
/// word with its probability (Gumbel 1954).
std::vector<std::int32_t> draw_words(const Tensor& logits, const Tensor& banned, Generator& generator) {
  const std::int64_t rows = logits.size(0);
  const Tensor uniform = empty_like(logits);
  fill_uniform(uniform, 1e-9, 1 - 1e-7, generator);  // neither 0 nor 1, whose noise is infinite
  const Tensor noisy = logits - log(-log(uniform));
  const Tensor value({rows, 1}, DType::f64, logits.device()), index({rows, 1}, DType::i32, logits.device());
  on(noisy, [&]<class T>(auto device) {
    kernels::log_softmax_topk<T>(device, {.rows = rows,
                                          .vocabulary = logits.size(1),
                                          .k = 1,
                                          .logits = noisy.data<T>(),
                                          .banned = banned.data<std::int32_t>(),
                                          .banned_count = banned.numel(),
                                          .value = value.data<double>(),
                                          .index = index.data<std::int32_t>()});
  });
  return index.to_vector<std::int32_t>();
}

}  // namespace

std::vector<std::vector<SampledCaption>> sample_captions(const Decoder& decoder, const Tensor& features,
                                                         Generator& generator, const SampleOptions& options) {
  check(options.samples >= 1, "sampling: {} samples, at least 1 is needed", options.samples);
  check(options.max_length >= 1, "sampling: max_length is {}, at least 1 is needed", options.max_length);
  check_features("sampling", decoder, features);
  const NoGrad no_grad;
  const std::int64_t images = features.size(0), each = options.samples;
  std::vector<SampledCaption> captions(static_cast<std::size_t>(images * each), {{}, false});
  std::vector<std::int32_t> live, rows;  // captions that go on, and the images whose states they begin with
  for (std::int64_t i = 0; i < images * each; ++i) {
    live.push_back(static_cast<std::int32_t>(i));
    rows.push_back(static_cast<std::int32_t>(i / each));
  }
  const Tensor banned = from_vector(std::vector<std::int32_t>{pad_word, start_word}).to(features.device());
  BeamStep step(decoder, features);
  DecoderState state = images > 0 ? step.start() : DecoderState{};
  std::vector<std::int32_t> words(live.size(), start_word);
  for (int t = 0; t < options.max_length && !live.empty(); ++t) {
    const Tensor index = from_vector(rows).to(features.device());
    state = {gather_rows(state.h, index), gather_rows(state.c, index)};
    BeamGroups groups;
    for (std::size_t i = 0; i < live.size(); ++i) {
      const std::int64_t image = live[i] / each;
      if (groups.image.empty() || groups.image.back() != image) {
        groups.image.push_back(image);
        groups.first.push_back(groups.first.back());
      }
      ++groups.first.back();
    }
    const DecoderStep next = step(groups, words, state);
    const std::vector<std::int32_t> drawn = draw_words(next.logits, banned, generator);
    state = next.state;
    const std::vector<std::int32_t> before = std::exchange(live, {});
    rows.clear();
    words.clear();
    for (std::size_t i = 0; i < before.size(); ++i) {
      SampledCaption& caption = captions[before[i]];
      caption.finished = drawn[i] == end_word;
      if (caption.finished) continue;
      caption.words.push_back(drawn[i]);
      live.push_back(before[i]);
      rows.push_back(static_cast<std::int32_t>(i));
      words.push_back(drawn[i]);
    }
  }
  std::vector<std::vector<SampledCaption>> result(static_cast<std::size_t>(images));
  for (std::size_t i = 0; i < captions.size(); ++i) result[i / each].push_back(std::move(captions[i]));
  return result;
}

}  // namespace glimpse
