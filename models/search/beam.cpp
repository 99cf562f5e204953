#include "glimpse/models/search/beam.h"

#include <algorithm>
#include <cmath>
#include <limits>

#include "glimpse/engine/autograd.h"
#include "glimpse/engine/dispatch.h"
#include "glimpse/engine/words.h"
#include "glimpse/kernels/base/check.h"
#include "glimpse/kernels/topk.h"
#include "glimpse/models/decoder/internal/parts.h"
#include "glimpse/models/search/internal/beam_step.h"

namespace glimpse {
namespace {

/// A word of a hypothesis, and the one before it. Hypotheses share their beginnings.
struct Node {
  std::int64_t parent = -1;  // -1: the first word
  std::int32_t word = start_word;
  std::int64_t length = 0;     // words up to here
  std::int64_t row = 0;        // of the step that predicted it, where its attention stands
  double log_probability = 0;  // of all words up to here
};

/// An ended hypothesis of an image.
struct Candidate {
  std::int64_t node;
  double score;
};

/// The likeliest continuations of the rows of one step.
struct Continuations {
  std::int64_t k;
  std::vector<double> value;        // (R,k)
  std::vector<std::int32_t> index;  // (R,k)
};

class BeamSearch {
 public:
  BeamSearch(const Decoder& decoder, const Tensor& features, const BeamOptions& options);
  std::vector<std::vector<Caption>> run();

 private:
  /// The state of an image: live hypotheses by falling probability, and the best ended ones by falling score.
  struct Image {
    std::vector<std::int64_t> live;  // nodes
    std::vector<Candidate> ended;
  };

  double score(double log_probability, std::int64_t length) const {
    return options_.length_penalty == 0
               ? log_probability
               : log_probability / std::pow(static_cast<double>(length), options_.length_penalty);
  }
  Continuations continuations(const Tensor& logits) const;
  void advance(Image& image, std::int64_t first_row, const Continuations& next);
  bool done(const Image& image) const;
  Caption caption(std::int64_t node, bool finished) const;

  const BeamOptions& options_;
  BeamStep step_;
  std::int64_t images_;
  std::vector<std::int32_t> banned_{pad_word, start_word};
  std::vector<Node> nodes_;
  std::vector<Tensor> alphas_, betas_;  // of each step, if kept
};

BeamSearch::BeamSearch(const Decoder& decoder, const Tensor& features, const BeamOptions& options)
    : options_(options), step_(decoder, features, options.hard_context), images_(features.size(0)) {
  if (options.suppress_unk) banned_.push_back(unk_word);
}

Continuations BeamSearch::continuations(const Tensor& logits) const {
  const std::int64_t rows = logits.size(0), v = logits.size(1), k = std::min<std::int64_t>(options_.beam, v);
  const Tensor value({rows, k}, DType::f64, logits.device()), index({rows, k}, DType::i32, logits.device());
  const Tensor banned = from_vector(banned_).to(logits.device());
  on(logits, [&]<class T>(auto device) {
    kernels::log_softmax_topk<T>(device, {.rows = rows,
                                          .vocabulary = v,
                                          .k = k,
                                          .logits = logits.data<T>(),
                                          .banned = banned.data<std::int32_t>(),
                                          .banned_count = banned.numel(),
                                          .value = value.data<double>(),
                                          .index = index.data<std::int32_t>()});
  });
  return {k, value.to_vector<double>(), index.to_vector<std::int32_t>()};
}

/// Replaces the live hypotheses of an image by their best continuations; those that end become candidates.
void BeamSearch::advance(Image& image, std::int64_t first_row, const Continuations& next) {
  struct Choice {
    double log_probability;
    std::size_t from, rank;
  };
  std::vector<Choice> choices;
  const auto k = static_cast<std::size_t>(next.k);
  const auto at = [&](std::size_t from, std::size_t rank) {
    return (static_cast<std::size_t>(first_row) + from) * k + rank;
  };
  for (std::size_t from = 0; from < image.live.size(); ++from)
    for (std::size_t rank = 0; rank < k && next.index[at(from, rank)] >= 0; ++rank)
      choices.push_back({nodes_[image.live[from]].log_probability + next.value[at(from, rank)], from, rank});
  std::stable_sort(choices.begin(), choices.end(),
                   [](const Choice& a, const Choice& b) { return a.log_probability > b.log_probability; });
  choices.resize(std::min(choices.size(), static_cast<std::size_t>(options_.beam)));

  std::vector<std::int64_t> live;
  for (const Choice& choice : choices) {
    const std::int64_t parent = image.live[choice.from];
    const std::int64_t length = nodes_[parent].length + 1;
    const auto id = static_cast<std::int64_t>(nodes_.size());
    const std::int32_t word = next.index[at(choice.from, choice.rank)];
    nodes_.push_back(
        {parent, word, length, first_row + static_cast<std::int64_t>(choice.from), choice.log_probability});
    if (word != end_word)
      live.push_back(id);
    else
      image.ended.push_back({id, score(choice.log_probability, length)});
  }
  image.live = std::move(live);
  std::stable_sort(image.ended.begin(), image.ended.end(),
                   [](const Candidate& a, const Candidate& b) { return a.score > b.score; });
  if (image.ended.size() > static_cast<std::size_t>(options_.n_best))
    image.ended.resize(static_cast<std::size_t>(options_.n_best));
}

/// Whether no live hypothesis can still become one of the n best. More words only lower the probability, and the most
/// words divide it by the most.
bool BeamSearch::done(const Image& image) const {
  if (image.live.empty()) return true;
  if (image.ended.size() < static_cast<std::size_t>(options_.n_best)) return false;
  const double best_live = nodes_[image.live.front()].log_probability;
  return score(best_live, options_.max_length) <= image.ended.back().score;
}

Caption BeamSearch::caption(std::int64_t node, bool finished) const {
  const Node& last = nodes_[node];
  Caption result;
  result.finished = finished;
  result.log_probability = last.log_probability;
  result.score = score(last.log_probability, last.length);
  const bool with_alphas = !alphas_.empty();
  if (with_alphas) {
    result.alphas = empty({last.length, alphas_[0].size(1)});
    result.betas = empty({last.length});
  }
  for (std::int64_t i = node; nodes_[i].length > 0; i = nodes_[i].parent) {
    const Node& at = nodes_[i];
    if (at.word != end_word) result.words.push_back(at.word);
    if (!with_alphas) continue;
    const std::int64_t step = at.length - 1;
    result.alphas.rows(step, step + 1).copy_from(alphas_[step].rows(at.row, at.row + 1));
    result.betas.rows(step, step + 1).copy_from(betas_[step].rows(at.row, at.row + 1));
  }
  std::reverse(result.words.begin(), result.words.end());
  return result;
}

std::vector<std::vector<Caption>> BeamSearch::run() {
  std::vector<Image> images(static_cast<std::size_t>(images_));
  std::vector<std::size_t> open;  // images that go on
  for (std::size_t i = 0; i < images.size(); ++i) {
    images[i].live = {static_cast<std::int64_t>(nodes_.size())};
    nodes_.emplace_back();
    open.push_back(i);
  }
  DecoderState state = step_.start();
  for (int t = 0; t < options_.max_length && !open.empty(); ++t) {
    BeamGroups groups;
    std::vector<std::int32_t> words;
    for (const std::size_t i : open) {
      groups.image.push_back(static_cast<std::int64_t>(i));
      for (const std::int64_t node : images[i].live) words.push_back(nodes_[node].word);
      groups.first.push_back(static_cast<std::int64_t>(words.size()));
    }
    const DecoderStep step = step_(groups, words, state);
    if (options_.keep_alphas && step.alpha.defined()) {
      alphas_.push_back(step.alpha.to(DType::f32));
      betas_.push_back(mean(step.beta, 1).to(DType::f32));
    }
    const Continuations next = continuations(step.logits);
    std::vector<std::size_t> still_open;
    std::vector<std::int32_t> rows;  // of the live hypotheses' states
    for (std::size_t g = 0; g < open.size(); ++g) {
      Image& image = images[open[g]];
      advance(image, groups.first[g], next);
      if (done(image)) continue;
      still_open.push_back(open[g]);
      for (const std::int64_t node : image.live) rows.push_back(static_cast<std::int32_t>(nodes_[node].row));
    }
    open = std::move(still_open);
    if (open.empty()) break;
    const Tensor index = from_vector(rows).to(step.state.h.device());
    state = {gather_rows(step.state.h, index), gather_rows(step.state.c, index)};
  }

  std::vector<std::vector<Caption>> result;
  for (const Image& image : images) {
    result.emplace_back();
    for (const Candidate& ended : image.ended) result.back().push_back(caption(ended.node, true));
    for (const std::int64_t node : image.live)
      if (result.back().size() < static_cast<std::size_t>(options_.n_best))
        result.back().push_back(caption(node, false));
  }
  return result;
}

}  // namespace

std::vector<std::vector<Caption>> beam_search(const Decoder& decoder, const Tensor& features,
                                              const BeamOptions& options) {
  const auto at_least_one = [](const char* what, int value) {
    check(value >= 1, "beam search: {} is {}, at least 1 is needed", what, value);
  };
  at_least_one("beam", options.beam);
  at_least_one("max_length", options.max_length);
  at_least_one("n_best", options.n_best);
  check(options.n_best <= options.beam, "beam search: n_best {} is more than beam {}", options.n_best, options.beam);
  check(options.length_penalty >= 0, "beam search: length penalty {} is negative", options.length_penalty);
  check(decoder.config.vocabulary > end_word, "beam search: a vocabulary of {} has no <end>",
        decoder.config.vocabulary);
  check_features("beam search", decoder, features);
  const NoGrad no_grad;
  if (features.size(0) == 0) return {};
  return BeamSearch(decoder, features, options).run();
}

}  // namespace glimpse
