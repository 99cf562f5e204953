#pragma once
// From pictures to captions with a trained model.

#include <cstdint>
#include <functional>
#include <string>
#include <vector>

#include "glimpse/data/attention_map.h"
#include "glimpse/data/image.h"
#include "glimpse/models/captioner/model.h"
#include "glimpse/models/encoder/frozen_encoder.h"
#include "glimpse/models/search/beam.h"

namespace glimpse {

/// How captions are searched for and chosen; what the programs do unless told otherwise.
struct CaptionOptions {
  int beam = 3;               ///< hypotheses kept at each word; 1 is greedy search
  int max_words = 30;         ///< longest caption
  double length_penalty = 1;  ///< score = log p / words^length_penalty; the plain sum (0) prefers short captions
  bool suppress_unk = false;  ///< never write `<unk>`
  HardContext hard_context = HardContext::expected;  ///< what a model with hard attention reads
  int n_best = 1;                                    ///< captions an image, at most `beam`
  bool attention = false;                            ///< keep the attention maps and beta
  std::int64_t batch = 32;                           ///< images at a time
};

/// The same as beam_search takes it.
BeamOptions beam_options(const CaptionOptions& options);

/// One caption of an image.
struct ImageCaption {
  std::vector<std::string> words;
  double score = 0;                 ///< log_probability / words^length_penalty, `<end>` counted as a word
  double log_probability = 0;       ///< natural logarithm
  bool finished = true;             ///< false: cut at max_words
  WordRule rule = WordRule::ascii;  ///< the vocabulary's, by which words become text
  Tensor attention;                 ///< (T,grid height,grid width) f32 on the CPU, a map a word; if asked for
  std::vector<float> beta;          ///< (T) beside it: what the gate lets through of the image, or the sentinel's share

  /// The words as text (join_words).
  std::string text() const { return join_words(words, rule); }
};

/// Captions of each image, best first, from what the decoder sees of them: features (N,L,D). Throws Error for options
/// that beam_search refuses, and where attention is asked of a model that has none.
std::vector<std::vector<ImageCaption>> caption_features(const CaptionModel& model, const Tensor& features,
                                                        const CaptionOptions& options = {});
/// The maps of a caption with attention, as data/attention_map.h draws them. Throws Error where there are none.
AttentionMaps attention_maps(const ImageCaption& caption);

/// A model made ready to caption: its encoder laid out for inference. One call at a time.
class Captioner {
 public:
  /// Takes a model as it is, on the device where it lies.
  explicit Captioner(CaptionModel model);
  /// Reads a model file (load_model) and moves it to `device`. Throws Error.
  static Captioner load(const std::string& path, Device device = Device::cpu, ModelWeights which = ModelWeights::model);

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
  const FrozenEncoder& encoder() const { return encoder_; }

 private:
  std::vector<std::vector<ImageCaption>> caption(std::int64_t count, const std::function<Image(std::int64_t)>& image,
                                                 const CaptionOptions& options) const;

  CaptionModel model_;
  FrozenEncoder encoder_;
};

}  // namespace glimpse
