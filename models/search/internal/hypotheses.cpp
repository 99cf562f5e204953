#include "glimpse/models/search/internal/hypotheses.h"

#include <algorithm>
#include <cmath>

#include "glimpse/engine/ops.h"
#include "glimpse/engine/words.h"

namespace glimpse {

std::int64_t Hypotheses::begin() {
  list_.push_back({.word = start_word});
  if (coverage_) attended_.emplace_back();
  return std::ssize(list_) - 1;
}

void Hypotheses::attend(const Tensor& alpha, const Tensor& beta) {
  if (!alpha.defined()) return;
  if (keep_alphas_) {
    alphas_.push_back(alpha.to(DType::f32));
    betas_.push_back(mean(beta, 1).to(DType::f32));
  }
  if (!coverage_) return;
  step_alpha_ = alpha.to_vector<double>();
  locations_ = alpha.size(1);
}

std::int64_t Hypotheses::add(std::int64_t parent, std::int32_t word, std::int64_t row, double log_probability) {
  list_.push_back({parent, word, list_[parent].length + 1, row, log_probability});
  if (coverage_) {
    std::vector<double> sums = attended_[parent];
    sums.resize(locations_, 0);
    for (std::int64_t l = 0; l < locations_; ++l) sums[l] += step_alpha_[row * locations_ + l];
    attended_.push_back(std::move(sums));
  }
  return std::ssize(list_) - 1;
}

std::vector<std::int32_t> Hypotheses::words(std::int64_t id) const {
  std::vector<std::int32_t> words;
  for (; list_[id].length > 0; id = list_[id].parent) words.push_back(list_[id].word);
  std::reverse(words.begin(), words.end());
  return words;
}

std::vector<std::int32_t> Hypotheses::repeating(std::int64_t id, int n) const {
  std::vector<std::int32_t> result;
  if (n == 0 || list_[id].length < n) return result;
  const std::vector<std::int32_t> written = words(id);
  const auto last = written.end() - (n - 1);  // the n - 1 words that the next one would complete
  for (auto at = written.begin(); at + (n - 1) != written.end(); ++at)
    if (std::equal(last, written.end(), at) && std::find(result.begin(), result.end(), at[n - 1]) == result.end())
      result.push_back(at[n - 1]);
  return result;
}

double Hypotheses::coverage(std::int64_t id) const {
  constexpr double floor = 1e-10;
  double sum = 0;
  for (const double paid : attended_[id]) sum += std::log(std::clamp(paid, floor, 1.0));
  return sum;
}

Caption Hypotheses::caption(std::int64_t id, bool finished, double score) const {
  const Hypothesis& last = list_[id];
  Caption result;
  result.finished = finished;
  result.log_probability = last.log_probability;
  result.score = score;
  const bool with_alphas = !alphas_.empty();
  if (with_alphas) {
    result.alphas = empty({last.length, alphas_[0].size(1)});
    result.betas = empty({last.length});
  }
  for (; list_[id].length > 0; id = list_[id].parent) {
    const Hypothesis& at = list_[id];
    if (at.word != end_word) result.words.push_back(at.word);
    if (!with_alphas) continue;
    const std::int64_t step = at.length - 1;
    result.alphas.rows(step, step + 1).copy_from(alphas_[step].rows(at.row, at.row + 1));
    result.betas.rows(step, step + 1).copy_from(betas_[step].rows(at.row, at.row + 1));
  }
  std::reverse(result.words.begin(), result.words.end());
  return result;
}

}  // namespace glimpse
