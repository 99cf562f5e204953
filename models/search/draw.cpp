#include "glimpse/models/search/draw.h"

#include <algorithm>
#include <cmath>
#include <limits>
#include <numeric>
#include <span>

#include "glimpse/engine/autograd.h"
#include "glimpse/engine/random.h"
#include "glimpse/engine/words.h"
#include "glimpse/kernels/base/check.h"
#include "glimpse/models/search/internal/ensemble_step.h"
#include "glimpse/models/search/internal/hypotheses.h"
#include "glimpse/models/search/internal/length_norm.h"

namespace glimpse {
namespace {

constexpr double never = -std::numeric_limits<double>::infinity();

double log_sum_exp(std::span<const double> x) {
  const double most = *std::max_element(x.begin(), x.end());
  if (most == never) return never;
  double sum = 0;
  for (const double value : x) sum += std::exp(value - most);
  return most + std::log(sum);
}

/// Draws one of the words, -1 where none may be written. `logits` (V) are -inf for those that may not; they are
/// changed.
std::int32_t draw(std::span<double> logits, const DrawOptions& options, double uniform) {
  std::vector<std::int32_t> order;
  for (std::size_t word = 0; word < logits.size(); ++word)
    if (logits[word] > never) order.push_back(static_cast<std::int32_t>(word));
  if (order.empty()) return -1;
  const bool cut = options.top_k > 0 || options.top_p < 1;
  if (cut)
    std::stable_sort(order.begin(), order.end(), [&](std::int32_t a, std::int32_t b) { return logits[a] > logits[b]; });
  if (options.top_k > 0) order.resize(std::min(order.size(), static_cast<std::size_t>(options.top_k)));
  std::vector<double> weight;
  const double most = *std::max_element(logits.begin(), logits.end());
  for (const std::int32_t word : order) weight.push_back(std::exp((logits[word] - most) / options.temperature));
  double total = std::accumulate(weight.begin(), weight.end(), 0.0);
  if (options.top_p < 1) {
    std::size_t kept = 0;
    double held = 0;
    while (kept < weight.size() && held < options.top_p * total) held += weight[kept++];
    kept = std::max<std::size_t>(kept, 1);
    order.resize(kept);
    total = std::accumulate(weight.begin(), weight.begin() + static_cast<std::ptrdiff_t>(kept), 0.0);
  }
  double rest = uniform * total;
  for (std::size_t i = 0; i < order.size(); ++i) {
    rest -= weight[i];
    if (rest < 0) return order[i];
  }
  return order.back();
}

/// A number of its own for each word of each caption of each image.
double uniform_of(const DrawOptions& options, std::int64_t image, std::int64_t sample, std::int64_t word) {
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
  Sampling(const std::vector<SearchMember>& members, const DrawOptions& options)
      : options_(options), step_(members, options.count), hypotheses_(options.keep_alphas, false) {
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
    std::vector<double> logits = step.logits.to_vector<double>();
    const auto vocabulary = static_cast<std::size_t>(step.logits.size(1));
    std::vector<Draft> going;
    std::vector<std::int32_t> rows;
    for (std::size_t r = 0; r < drafts_.size(); ++r) {
      Draft draft = drafts_[r];
      const auto row = static_cast<std::int64_t>(r);
      const std::span<double> of_row(logits.data() + r * vocabulary, vocabulary);
      const double log_sum = log_sum_exp(of_row);
      const std::vector<double> own(of_row.begin(), of_row.end());
      forbid(draft, t, of_row);
      const std::int32_t word = draw(of_row, options_, uniform_of(options_, draft.image, draft.sample, t));
      if (word < 0) {
        finish(draft, false);
        continue;
      }
      draft.node =
          hypotheses_.add(draft.node, word, row, hypotheses_[draft.node].log_probability + own[word] - log_sum);
      if (word == end_word) {
        finish(draft, true);
        continue;
      }
      going.push_back(draft);
      rows.push_back(static_cast<std::int32_t>(r));
    }
    drafts_ = std::move(going);
    if (!drafts_.empty()) step_.keep(rows);
  }

  void forbid(const Draft& draft, int t, std::span<double> logits) const {
    logits[pad_word] = logits[start_word] = never;
    if (options_.suppress_unk && logits.size() > unk_word) logits[unk_word] = never;
    if (t < options_.min_length) logits[end_word] = never;
    for (const std::int32_t word : hypotheses_.repeating(draft.node, options_.no_repeat_ngram)) logits[word] = never;
  }

  void finish(const Draft& draft, bool finished) {
    const Hypothesis& last = hypotheses_[draft.node];
    captions_[draft.image].push_back(hypotheses_.caption(
        draft.node, finished,
        normalised(last.log_probability, last.length, options_.length_penalty, options_.length_norm)));
  }

  const DrawOptions& options_;
  EnsembleStep step_;
  Hypotheses hypotheses_;
  std::vector<Draft> drafts_;
  std::vector<std::vector<Caption>> captions_;
};

void check_options(const DrawOptions& options) {
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
  check(options.temperature > 0 && std::isfinite(options.temperature), "sampling: a temperature of {}",
        options.temperature);
  check(options.top_p > 0 && options.top_p <= 1, "sampling: top_p {} is outside (0,1]", options.top_p);
  check(options.length_penalty >= 0, "sampling: length penalty {} is negative", options.length_penalty);
}

}  // namespace

std::vector<std::vector<Caption>> draw_captions(const std::vector<SearchMember>& members, const DrawOptions& options) {
  check_options(options);
  check_members("sampling", members);
  const NoGrad no_grad;
  return members.front().features.size(0) == 0 ? std::vector<std::vector<Caption>>() : Sampling(members, options).run();
}

}  // namespace glimpse
