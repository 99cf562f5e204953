#include "glimpse/models/search/internal/ensemble_step.h"

#include <utility>

#include "glimpse/engine/ops.h"
#include "glimpse/engine/words.h"
#include "glimpse/kernels/base/check.h"
#include "glimpse/models/decoder/internal/parts.h"

namespace glimpse {

EnsembleStep::EnsembleStep(const std::vector<SearchMember>& members, int copies, HardContext hard_context) {
  members_.reserve(members.size());
  for (const SearchMember& member : members) {
    members_.push_back({BeamStep(member.decoder, member.features, hard_context), {}});
    members_.back().state = members_.back().step.start();
  }
  if (copies == 1) return;
  std::vector<std::int32_t> rows;
  for (std::int32_t i = 0; i < members.front().features.size(0); ++i) rows.insert(rows.end(), copies, i);
  keep(rows);
}

EnsembleStep::Result EnsembleStep::operator()(const BeamGroups& groups, const std::vector<std::int32_t>& words) {
  Result result;
  const std::vector<std::int32_t> rows = std::exchange(rows_, {});
  for (Member& member : members_) {
    const DecoderStep step = member.step(groups, words, member.state, rows);
    member.state = step.state;
    if (members_.size() == 1) return {step.logits, step.alpha, step.beta};
    const Tensor share = softmax(step.logits) * (1.0 / static_cast<double>(members_.size()));
    if (!result.logits.defined())
      result = {share, step.alpha, step.beta};
    else
      result.logits = result.logits + share;
  }
  constexpr double tiny = 1e-37;  // keeps the logarithm of what no member gives any probability finite
  result.logits = log(result.logits + tiny);
  return result;
}

void EnsembleStep::keep(const std::vector<std::int32_t>& rows) { rows_ = rows; }

void check_members(const char* what, const std::vector<SearchMember>& members) {
  check(!members.empty(), "{}: no decoder", what);
  const SearchMember& first = members.front();
  const std::int64_t words = first.decoder.config.vocabulary;
  check(words > end_word, "{}: a vocabulary of {} has no <end>", what, words);
  for (const SearchMember& member : members) {
    check_features(what, member.decoder, member.features);
    check(member.decoder.config.vocabulary == words, "{}: an ensemble of vocabularies of {} and {} words", what, words,
          member.decoder.config.vocabulary);
    check(member.features.size(0) == first.features.size(0), "{}: an ensemble that sees {} and {} images", what,
          first.features.size(0), member.features.size(0));
    check(member.features.dtype() == first.features.dtype() && member.features.device() == first.features.device(),
          "{}: an ensemble of several types or devices", what);
  }
}

}  // namespace glimpse
