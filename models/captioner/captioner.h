#pragma once
// From pictures to captions with a trained model.

#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "glimpse/data/attention_map.h"
#include "glimpse/data/image.h"
#include "glimpse/data/search_tree.h"
#include "glimpse/models/captioner/model.h"
#include "glimpse/models/encoder/frozen_encoder.h"
#include "glimpse/models/search/beam.h"
#include "glimpse/models/search/minimum_bayes_risk.h"
#include "glimpse/models/search/sample.h"

namespace glimpse {

/// How captions are searched for and chosen; what the programs do unless told otherwise. What is not explained here
/// stands in BeamOptions (beam.h) and SampleOptions (sample.h).
struct CaptionOptions {
  int beam = 3;               ///< hypotheses kept at each word; 1 is greedy search
  int max_words = 30;         ///< longest caption
  double length_penalty = 1;  ///< score = log p / words^length_penalty; the plain sum (0) prefers short captions
  bool suppress_unk = false;  ///< never write `<unk>`
  int n_best = 1;             ///< captions an image, at most `beam`
  bool attention = false;     ///< keep the attention maps and beta
  bool tree = false;          ///< keep what the beam search kept on its way; captions that are drawn have no such tree
  std::int64_t batch = 32;    ///< images at a time
  HardContext hard_context = HardContext::expected;  ///< what a model with hard attention reads
  LengthNorm length_norm = LengthNorm::words;
  int min_words = 0;  ///< shortest caption
  int no_repeat_ngram = 0;
  double coverage_penalty = 0;
  int groups = 1;
  double diversity = 0.5;
  ChooseBy choose = ChooseBy::score;  ///< of the `beam` best captions, which are the n best
  bool sample = false;                ///< draw n_best captions (to choose from: `beam`) instead of searching
  double temperature = 1;
  int top_k = 0;
  double top_p = 1;
  std::uint64_t seed = 1;
  std::int64_t first_image = 0;  ///< number of the first image among all, for `seed`; callers of one batch count on
};

/// Whether each caption that is returned is drawn for itself, so that `beam` has no say.
bool draws_each(const CaptionOptions& options);
/// The same as the searches take them.
BeamOptions beam_options(const CaptionOptions& options);
SampleOptions sample_options(const CaptionOptions& options);

/// One caption of an image.
struct ImageCaption {
  std::vector<std::string> words;
  double score = 0;                 ///< what captions are ranked by: log_probability / length norm, or expected gain
  double log_probability = 0;       ///< natural logarithm
  bool finished = true;             ///< false: cut at max_words
  WordRule rule = WordRule::ascii;  ///< the vocabulary's, by which words become text
  Tensor attention;                 ///< (T,grid height,grid width) f32 on the CPU, a map a word; if asked for
  std::vector<float> beta;          ///< (T) beside it: what the gate lets through of the image, or the sentinel's share
  SearchTree tree;                  ///< if asked for

  /// The words as text (join_words).
  std::string text() const { return join_words(words, rule); }
};

/// Captions of each image, best first, from what the decoder sees of them: features (N,L,D). Throws Error for options
/// that beam_search refuses, and where attention is asked of a model that has none.
std::vector<std::vector<ImageCaption>> caption_features(const CaptionModel& model, const Tensor& features,
                                                        const CaptionOptions& options = {});
/// A model of an ensemble, and what it sees of the images.
struct ModelView {
  const CaptionModel& model;
  Tensor features;  ///< (N,L,D)
};
/// The same by an ensemble, whose members must have the same vocabulary (check_ensemble): a word's probability is the
/// mean of theirs. Attention is the first one's.
std::vector<std::vector<ImageCaption>> caption_features(const std::vector<ModelView>& ensemble,
                                                        const CaptionOptions& options = {});
/// Throws Error, naming the words in which they differ, unless two models write the same words for the same ids.
void check_ensemble(const CaptionModel& first, const CaptionModel& other);

/// Whether two models have the same features of every image: encoders of one structure with the same weights, and one
/// preprocessing.
bool see_alike(const CaptionModel& a, const CaptionModel& b);

/// The maps of a caption with attention, as data/attention_map.h draws them. Throws Error where there are none.
AttentionMaps attention_maps(const ImageCaption& caption);

/// A model made ready to caption: its encoder laid out for inference. One call at a time.
class Captioner {
 public:
  /// Takes a model as it is, on the device where it lies.
  explicit Captioner(CaptionModel model);
  /// Reads a model file (load_model) and moves it to `device`. Throws Error.
  static Captioner load(const std::string& path, Device device = Device::cpu, ModelWeights which = ModelWeights::model);

  /// Captions together with the models that were added before: an ensemble. An encoder that several of them have
  /// (see_alike) runs once. Throws Error for another vocabulary, another device, and where it would have images read in
  /// another way.
  void add(CaptionModel model);

  /// Captions of each image, best first. Throws what caption_features throws.
  std::vector<std::vector<ImageCaption>> caption(const std::vector<Image>& images,
                                                 const CaptionOptions& options = {}) const;
  /// The same for image files (read_image), of which a batch is in memory at a time. Throws Error for the first that
  /// cannot be read.
  std::vector<std::vector<ImageCaption>> caption(const std::vector<std::string>& paths,
                                                 const CaptionOptions& options = {}) const;
  /// Of one image file, the best caption.
  ImageCaption caption(const std::string& path, const CaptionOptions& options = {}) const;

  const CaptionModel& model() const { return model_; }
  const Vocabulary& vocabulary() const { return model_.vocabulary; }
  /// The features (N,L,D) that the decoder sees of pixels (N,3,S,S).
  const FrozenEncoder& encoder() const { return *encoder_; }
  /// How many encoders run for an image.
  int encoders() const;

 private:
  std::vector<std::vector<ImageCaption>> caption(std::int64_t count, const std::function<Image(std::int64_t)>& image,
                                                 const CaptionOptions& options) const;

  struct Member {
    CaptionModel model;
    std::shared_ptr<const FrozenEncoder> encoder;  // that of a member before where both see alike
  };
  CaptionModel model_;
  std::shared_ptr<const FrozenEncoder> encoder_;
  std::vector<std::unique_ptr<Member>> others_;  // of an ensemble
};

}  // namespace glimpse
