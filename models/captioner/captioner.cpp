#include "glimpse/models/captioner/captioner.h"

#include <algorithm>

#include "glimpse/engine/autograd.h"
#include "glimpse/engine/device.h"
#include "glimpse/kernels/base/check.h"
#include "glimpse/models/encoder/encoder_input.h"

namespace glimpse {

namespace {

/// What the search found, with its words.
ImageCaption image_caption(const Caption& caption, const CaptionModel& model) {
  ImageCaption result;
  result.words = model.vocabulary.decode(caption.words);
  result.rule = model.vocabulary.rule();
  result.score = caption.score;
  result.log_probability = caption.log_probability;
  result.finished = caption.finished;
  if (caption.alphas.defined()) {
    const std::int64_t words = std::ssize(result.words);
    result.attention = caption.alphas.rows(0, words)
                           .to(Device::cpu)
                           .reshape({words, model.encoder.grid_height(), model.encoder.grid_width()});
    result.beta = caption.betas.rows(0, words).to_vector<float>();
  }
  return result;
}

}  // namespace

BeamOptions beam_options(const CaptionOptions& options) {
  BeamOptions beam;
  beam.beam = options.beam;
  beam.max_length = options.max_words + 1;  // <end> is a word of the search
  beam.length_penalty = options.length_penalty;
  beam.suppress_unk = options.suppress_unk;
  beam.keep_alphas = options.attention;
  beam.hard_context = options.hard_context;
  beam.n_best = options.n_best;
  return beam;
}

std::vector<std::vector<ImageCaption>> caption_features(const CaptionModel& model, const Tensor& features,
                                                        const CaptionOptions& options) {
  check(!options.attention || model.config.decoder.attends(), "caption: this model has no attention");
  std::vector<std::vector<ImageCaption>> result;
  for (const std::vector<Caption>& best : beam_search(model.decoder, features, beam_options(options))) {
    std::vector<ImageCaption>& captions = result.emplace_back();
    for (const Caption& caption : best) captions.push_back(image_caption(caption, model));
  }
  return result;
}

AttentionMaps attention_maps(const ImageCaption& caption) {
  check(caption.attention.defined(), "attention maps: this caption has none");
  AttentionMaps maps;
  maps.words = caption.words;
  maps.rows = static_cast<int>(caption.attention.size(1));
  maps.columns = static_cast<int>(caption.attention.size(2));
  maps.weights = caption.attention.to_vector<float>();
  maps.beta = caption.beta;
  return maps;
}

Captioner::Captioner(CaptionModel model) : model_(std::move(model)), encoder_(model_.encoder) {}

Captioner Captioner::load(const std::string& path, Device device, ModelWeights which) {
  const MatmulPrecision set = kernels::matmul_precision();
  use_device(device, device == Device::cpu && set == MatmulPrecision::tf32 ? MatmulPrecision::f32 : set);
  CaptionModel model = load_model(path, which);
  move_to(model, device);
  return Captioner(std::move(model));
}

std::vector<std::vector<ImageCaption>> Captioner::caption(std::int64_t count,
                                                          const std::function<Image(std::int64_t)>& image,
                                                          const CaptionOptions& options) const {
  check(options.batch >= 1, "caption: a batch of {} images", options.batch);
  const NoGrad no_grad;
  std::vector<std::vector<ImageCaption>> result;
  for (std::int64_t begin = 0; begin < count; begin += options.batch) {
    const Tensor pixels = encoder_input(
        std::min(options.batch, count - begin), [&](std::int64_t i) { return image(begin + i); }, model_.preprocessing,
        model_.device());
    for (std::vector<ImageCaption>& captions : caption_features(model_, encoder_(pixels), options))
      result.push_back(std::move(captions));
  }
  return result;
}

std::vector<std::vector<ImageCaption>> Captioner::caption(const std::vector<Image>& images,
                                                          const CaptionOptions& options) const {
  return caption(
      std::ssize(images), [&](std::int64_t i) { return images[i]; }, options);
}

std::vector<std::vector<ImageCaption>> Captioner::caption(const std::vector<std::string>& paths,
                                                          const CaptionOptions& options) const {
  return caption(
      std::ssize(paths), [&](std::int64_t i) { return read_image(paths[i], model_.preprocessing.reading()); }, options);
}

ImageCaption Captioner::caption(const std::string& path, const CaptionOptions& options) const {
  return caption(std::vector<std::string>{path}, options)[0][0];
}

}  // namespace glimpse
