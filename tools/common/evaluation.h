#pragma once
// What evaluate prints and writes of the captions of one system, or of two.

#include <nlohmann/json.hpp>
#include <optional>
#include <string>
#include <vector>

#include "decoding.h"
#include "glimpse/data/bootstrap.h"
#include "glimpse/data/caption_statistics.h"
#include "glimpse/data/dataset.h"
#include "glimpse/models/training/retrieval.h"
#include "glimpse/models/training/validation.h"

namespace glimpse::tools {

/// The captions of a split by one system, and how good they are.
struct Evaluation {
  std::string system, split;
  ImageList images;
  std::vector<CaptionWords> captions;
  DecodedSplit decoded;                ///< of models: the captions with their attention, where that was asked for
  std::string beta_is;                 ///< what beta of the attention says (meaning_of_beta)
  WordRule rule = WordRule::unicode;   ///< of captions and references
  std::int64_t vocabulary = 0;         ///< words that the system can write; 0: not known
  std::string decoding;                ///< ", beam 3, ...", for people
  std::optional<ForcedScores> forced;  ///< of models
  std::vector<Interval> intervals;     ///< of the scores, if asked for
  Scores scores;
  CaptionStatistics statistics;
  nlohmann::ordered_json extra = nlohmann::ordered_json::object();  ///< goes into the JSON as it is
};

/// How captions are decoded: beam and length penalty, and what else is not as it is by default.
nlohmann::ordered_json decoding_json(const DecodingOptions& options);

/// Fills scores and statistics; `training`: the captions of the training split, where there are any.
void score(Evaluation& evaluation, const std::vector<CaptionWords>& training);

/// Prints scores and statistics.
void print_evaluation(const Evaluation& evaluation);
/// The same for machines.
nlohmann::ordered_json evaluation_json(const Evaluation& evaluation);

/// Prints the differences A - B, and which is better by CIDEr-D.
void print_comparison(const Evaluation& a, const Evaluation& b, const std::vector<ScoreDifference>& differences);
nlohmann::ordered_json comparison_json(const Evaluation& a, const Evaluation& b,
                                       const std::vector<ScoreDifference>& differences);

void print_retrieval(const RetrievalScores& scores);
nlohmann::ordered_json retrieval_json(const RetrievalScores& scores);

/// [{"filename", "caption", "references"}, ...], or COCO's results. Throws Error for images without an id there.
nlohmann::ordered_json captions_json(const Evaluation& evaluation, bool coco_results);

}  // namespace glimpse::tools
