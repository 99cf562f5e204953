#include "glimpse/models/search/sample.h"

#include <algorithm>
#include <cmath>
#include <limits>
#include <span>

#include "glimpse/engine/autograd.h"
#include "glimpse/engine/ops.h"
#include "glimpse/engine/random.h"
#include "glimpse/engine/words.h"
#include "glimpse/kernels/base/check.h"
#include "glimpse/models/decoder/internal/hard.h"
#include "glimpse/models/decoder/internal/output.h"
#include "glimpse/models/search/internal/ensemble_step.h"
#include "glimpse/models/search/internal/hypotheses.h"
#include "glimpse/models/search/internal/length_norm.h"

namespace glimpse {
namespace {

constexpr double never = -std::numeric_limits<double>::infinity();

/// 0 for the words that a row may draw, logits (V): of those that are not -inf the options' likeliest; -inf for others.
void mark_likeliest(std::span<const double> logits, const SampleOptions& options, std::span<double> mask) {
  std::vector<std::int32_t> order;
  for (std::size_t word = 0; word < logits.size(); ++word)
    if (logits[word] > never) order.push_back(static_cast<std::int32_t>(word));
  std::stable_sort(order.begin(), order.end(), [&](std::int32_t a, std::int32_t b) { return logits[a] > logits[b]; });
  if (options.top_k > 0) order.resize(std::min(order.size(), static_cast<std::size_t>(options.top_k)));
  double total = 0, held = 0;
  for (const std::int32_t word : order) total += std::exp(logits[word] - logits[order[0]]);
  std::fill(mask.begin(), mask.end(), never);
  for (const std::int32_t word : order) {
    if (options.top_p < 1 && held >= options.top_p * total) return;
    held += std::exp(logits[word] - logits[order[0]]);
    mask[word] = 0;
  }
}

/// A number of its own for each word of each caption of each image.
double uniform_of(const SampleOptions& options, std::int64_t image, std::int64_t sample, std::int64_t word) {
  const auto place = static_cast<std::uint64_t>(options.first_image + image) << 32 |
                     static_cast<std::uint64_t>(sample) << 16 | static_cast<std::uint64_t>(word);
  return Generator(Generator::State{options.seed, place}).uniform();
}

/// A caption that is being drawn.
struct Draft {
  std::int64_t image, sample, node;
};

class Sampling {
 public:
  Sampling(const std::vector<SearchMember>& members, const SampleOptions& options)
      : options_(options),
        step_(members, options.count),
        hypotheses_(options.keep_alphas, false),
        vocabulary_(members.front().decoder.config.vocabulary),
        like_(members.front().features) {
    std::vector<double> mask(static_cast<std::size_t>(vocabulary_), 0);
    mask[pad_word] = mask[start_word] = never;
    if (options.suppress_unk && vocabulary_ > unk_word) mask[unk_word] = never;
    may_end_ = placed(mask, {vocabulary_});
    mask[end_word] = never;
    may_not_end_ = placed(mask, {vocabulary_});
    for (std::int64_t i = 0; i < members.front().features.size(0); ++i)
      for (int s = 0; s < options.count; ++s) drafts_.push_back({i, s, hypotheses_.begin()});
    captions_.resize(members.front().features.size(0));
  }

  std::vector<std::vector<Caption>> run() {
    for (int t = 0; t < options_.max_length && !drafts_.empty(); ++t) advance(t);
    for (const Draft& draft : drafts_) finish(draft, false);
    for (std::vector<Caption>& captions : captions_)
      std::stable_sort(captions.begin(), captions.end(), [](const Caption& a, const Caption& b) {
        return a.finished != b.finished ? a.finished : a.score > b.score;
      });
    return std::move(captions_);
  }

 private:
  void advance(int t) {
    BeamGroups groups;
    std::vector<std::int32_t> words;
    for (const Draft& draft : drafts_) {
      if (groups.image.empty() || groups.image.back() != draft.image) {
        groups.image.push_back(draft.image);
        groups.first.push_back(groups.first.back());
      }
      words.push_back(hypotheses_[draft.node].word);
      ++groups.first.back();
    }
    const EnsembleStep::Result step = step_(groups, words);
    hypotheses_.attend(step.alpha, step.beta);
    const std::vector<std::int32_t> drawn = draw(step.logits, t);
    const std::vector<double> log_p = log_probabilities(step.logits, drawn);
    std::vector<Draft> going;
    std::vector<std::int32_t> rows;
    for (std::size_t r = 0; r < drafts_.size(); ++r) {
      Draft draft = drafts_[r];
      if (drawn[r] < 0) {
        finish(draft, false);
        continue;
      }
      draft.node = hypotheses_.add(draft.node, drawn[r], static_cast<std::int64_t>(r),
                                   hypotheses_[draft.node].log_probability + log_p[r]);
      if (drawn[r] == end_word) {
        finish(draft, true);
        continue;
      }
      going.push_back(draft);
      rows.push_back(static_cast<std::int32_t>(r));
    }
    drafts_ = std::move(going);
    if (!drafts_.empty()) step_.keep(rows);
  }

  /// A word of each row of logits (R,V); -1 where none may be written.
  std::vector<std::int32_t> draw(const Tensor& logits, int t) const {
    Tensor allowed = logits + (t < options_.min_length ? may_not_end_ : may_end_);
    if (options_.no_repeat_ngram > 0) allowed = allowed + repeating();
    if (options_.temperature != 1) allowed = allowed * (1 / options_.temperature);
    if (options_.top_k > 0 || options_.top_p < 1) allowed = allowed + unlikely(allowed);
    std::vector<double> uniform;
    for (const Draft& draft : drafts_) uniform.push_back(uniform_of(options_, draft.image, draft.sample, t));
    return sampled_locations(softmax(allowed), placed(uniform, {std::ssize(uniform)})).to_vector<std::int32_t>();
  }

  /// log p of the words that were drawn of rows of logits (R,V).
  static std::vector<double> log_probabilities(const Tensor& logits, std::vector<std::int32_t> drawn) {
    for (std::int32_t& word : drawn) word = std::max(word, 0);  // of rows without a word nobody asks
    std::vector<double> values = token_losses(logits, from_vector(drawn).to(logits.device())).to_vector<double>();
    for (double& value : values) value = -value;
    return values;
  }

  /// -inf for the words that would make the last n words of a caption stand in it twice, else 0: (R,V).
  Tensor repeating() const {
    std::vector<double> mask(drafts_.size() * static_cast<std::size_t>(vocabulary_), 0);
    for (std::size_t r = 0; r < drafts_.size(); ++r)
      for (const std::int32_t word : hypotheses_.repeating(drafts_[r].node, options_.no_repeat_ngram))
        mask[static_cast<std::int64_t>(r) * vocabulary_ + word] = never;
    return placed(mask, {std::ssize(drafts_), vocabulary_});
  }

  /// -inf for the words that top_k and top_p leave out, else 0: (R,V).
  Tensor unlikely(const Tensor& logits) const {
    const std::vector<double> values = logits.to_vector<double>();
    std::vector<double> mask(values.size());
    const auto width = static_cast<std::size_t>(vocabulary_);
    for (std::size_t begin = 0; begin < values.size(); begin += width)
      mark_likeliest({values.data() + begin, width}, options_, {mask.data() + begin, width});
    return placed(mask, logits.shape());
  }

  /// Of the decoder's type, where it lies.
  Tensor placed(const std::vector<double>& values, const Shape& shape) const {
    return from_vector(values, shape).to(like_.dtype()).to(like_.device());
  }

  void finish(const Draft& draft, bool finished) {
    const Hypothesis& last = hypotheses_[draft.node];
    captions_[draft.image].push_back(hypotheses_.caption(
        draft.node, finished,
        normalised(last.log_probability, last.length, options_.length_penalty, options_.length_norm)));
  }

  const SampleOptions& options_;
  EnsembleStep step_;
  Hypotheses hypotheses_;
  std::int64_t vocabulary_;       // V
  Tensor like_;                   // of the type and on the device of all
  Tensor may_end_, may_not_end_;  // (V) -inf for the words that are never written, with <end> or without it
  std::vector<Draft> drafts_;
  std::vector<std::vector<Caption>> captions_;
};

void check_options(const SampleOptions& options) {
  constexpr int most = 0xffff;  // what uniform_of has room for
  const auto between = [&](const char* what, int value, int least) {
    check(value >= least && value <= most, "sampling: {} is {}, expected {} .. {}", what, value, least, most);
  };
  between("count", options.count, 1);
  between("max_length", options.max_length, 1);
  between("min_length", options.min_length, 0);
  between("no_repeat_ngram", options.no_repeat_ngram, 0);
  check(options.top_k >= 0, "sampling: top_k is {}, at least 0 is needed", options.top_k);
  check(options.min_length < options.max_length, "sampling: min_length {} and <end> are more words than max_length {}",
        options.min_length, options.max_length);
  check(options.temperature >= 1e-6 && std::isfinite(options.temperature),
        "sampling: a temperature of {}, at least 1e-6 is needed", options.temperature);
  check(options.top_p > 0 && options.top_p <= 1, "sampling: top_p {} is outside (0,1]", options.top_p);
  check(options.length_penalty >= 0, "sampling: length penalty {} is negative", options.length_penalty);
}

}  // namespace

std::vector<std::vector<Caption>> sample_captions(const std::vector<SearchMember>& members,
                                                  const SampleOptions& options) {
  check_options(options);
  check_members("sampling", members);
  const NoGrad no_grad;
  return members.front().features.size(0) == 0 ? std::vector<std::vector<Caption>>() : Sampling(members, options).run();
}

}  // namespace glimpse
