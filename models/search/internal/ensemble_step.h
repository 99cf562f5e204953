#pragma once
// One step of several decoders that write the same words.

#include <cstdint>
#include <vector>

#include "glimpse/models/search/beam.h"
#include "glimpse/models/search/internal/beam_step.h"

namespace glimpse {

/// Holds the states of all hypotheses, so that the search sees rows alone.
class EnsembleStep {
 public:
  /// Begins with `copies` hypotheses of each image.
  EnsembleStep(const std::vector<SearchMember>& members, int copies, HardContext hard_context = HardContext::expected);

  /// What the next words are, given those that are read: words (R). Of one member the logits are its own; of several
  /// their softmax is the mean of the members'. Alpha and beta are the first member's.
  struct Result {
    Tensor logits;  // (R,V)
    Tensor alpha;   // (R,L), undefined without attention
    Tensor beta;    // (R,1) or (R,D), undefined without attention
  };
  Result operator()(const BeamGroups& groups, const std::vector<std::int32_t>& words);
  /// Goes on with the states of these rows of the last step.
  void keep(const std::vector<std::int32_t>& rows);

 private:
  struct Member {
    BeamStep step;
    DecoderState state;
  };
  std::vector<Member> members_;
  std::vector<std::int32_t> rows_;  // of the states that the next step goes on with; empty: all
};

/// Throws Error, beginning with `what`, where the members do not fit each other or the features their decoders.
void check_members(const char* what, const std::vector<SearchMember>& members);

}  // namespace glimpse
