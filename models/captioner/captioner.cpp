#include "glimpse/models/captioner/captioner.h"

#include <algorithm>
#include <cstring>
#include <map>
#include <set>

#include "glimpse/engine/autograd.h"
#include "glimpse/engine/device.h"
#include "glimpse/kernels/base/check.h"
#include "glimpse/kernels/base/parallel.h"
#include "glimpse/kernels/base/utf8.h"
#include "glimpse/models/encoder/encoder_input.h"

namespace glimpse {

namespace {

SearchTree search_tree(const Caption& caption, const Vocabulary& vocabulary) {
  SearchTree result;
  for (const BeamTree::Node& node : caption.tree->nodes) {
    const bool ended = node.word == end_word, word = !ended && node.parent >= 0;
    result.nodes.push_back({static_cast<int>(node.parent), word ? vocabulary.word(node.word) : "", node.log_probability,
                            node.score, ended});
  }
  result.leaf = static_cast<int>(caption.leaf);
  return result;
}

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
  if (caption.tree) result.tree = search_tree(caption, model.vocabulary);
  return result;
}

}  // namespace

bool draws_each(const CaptionOptions& options) { return options.sample && options.choose == ChooseBy::score; }

BeamOptions beam_options(const CaptionOptions& options) {
  BeamOptions beam;
  beam.beam = options.beam;
  beam.max_length = options.max_words + 1;  // <end> is a word of the search
  beam.length_penalty = options.length_penalty;
  beam.suppress_unk = options.suppress_unk;
  beam.keep_alphas = options.attention;
  beam.keep_tree = options.tree;
  beam.hard_context = options.hard_context;
  beam.n_best = options.choose == ChooseBy::score ? options.n_best : options.beam;
  beam.length_norm = options.length_norm;
  beam.min_length = options.min_words;
  beam.no_repeat_ngram = options.no_repeat_ngram;
  beam.coverage_penalty = options.coverage_penalty;
  beam.groups = options.groups;
  beam.diversity = options.diversity;
  return beam;
}

SampleOptions sample_options(const CaptionOptions& options) {
  return {.count = options.choose == ChooseBy::score ? options.n_best : options.beam,
          .max_length = options.max_words + 1,
          .temperature = options.temperature,
          .top_k = options.top_k,
          .top_p = options.top_p,
          .seed = options.seed,
          .first_image = options.first_image,
          .length_penalty = options.length_penalty,
          .length_norm = options.length_norm,
          .suppress_unk = options.suppress_unk,
          .keep_alphas = options.attention,
          .min_length = options.min_words,
          .no_repeat_ngram = options.no_repeat_ngram};
}

std::vector<std::vector<ImageCaption>> caption_features(const std::vector<ModelView>& ensemble,
                                                        const CaptionOptions& options) {
  check(!ensemble.empty(), "caption: an ensemble of no models");
  const CaptionModel& first = ensemble.front().model;
  check(!options.attention || first.config.decoder.attends(), "caption: this model has no attention");
  check(options.n_best >= 1 && (options.n_best <= options.beam || draws_each(options)),
        "caption: {} captions from a beam of {}", options.n_best, options.beam);
  std::vector<SearchMember> members;
  for (const ModelView& view : ensemble) {
    check_ensemble(first, view.model);
    members.push_back({view.model.decoder, view.features});
  }
  std::vector<std::vector<Caption>> found =
      options.sample ? sample_captions(members, sample_options(options)) : beam_search(members, beam_options(options));
  std::vector<std::vector<ImageCaption>> result;
  for (std::vector<Caption>& captions : found) {
    choose(captions, options.choose);
    captions.resize(std::min(captions.size(), static_cast<std::size_t>(options.n_best)));
    std::vector<ImageCaption>& of_image = result.emplace_back();
    for (const Caption& caption : captions) of_image.push_back(image_caption(caption, first));
  }
  return result;
}

std::vector<std::vector<ImageCaption>> caption_features(const CaptionModel& model, const Tensor& features,
                                                        const CaptionOptions& options) {
  return caption_features(std::vector<ModelView>{{model, features}}, options);
}

void check_ensemble(const CaptionModel& first, const CaptionModel& other) {
  if (&first == &other) return;
  const std::vector<std::string>&a = first.vocabulary.words(), &b = other.vocabulary.words();
  check(first.vocabulary.rule() == other.vocabulary.rule(),
        "ensemble: one model cuts text into words by '{}', one by "
        "'{}'",
        name_of(first.vocabulary.rule()), name_of(other.vocabulary.rule()));
  check(a.size() == b.size(), "ensemble: vocabularies of {} and {} words; models must share one", a.size(), b.size());
  const auto [x, y] = std::mismatch(a.begin(), a.end(), b.begin());
  check(x == a.end(), "ensemble: word {} is '{}' in one vocabulary and '{}' in another; models must share one",
        x - a.begin(), printable(x == a.end() ? "" : *x, 80), printable(y == b.end() ? "" : *y, 80));
}

bool see_alike(const CaptionModel& a, const CaptionModel& b) {
  if (&a == &b) return true;
  const Preprocessing &p = a.preprocessing, &q = b.preprocessing;
  if (a.encoder.description() != b.encoder.description() ||
      a.encoder.options().stride_in_1x1 != b.encoder.options().stride_in_1x1 || p.size != q.size ||
      p.orientation != q.orientation || p.mean != q.mean || p.std != q.std)
    return false;
  Network x = a.encoder.network(), y = b.encoder.network();
  const std::vector<NamedTensor> mine = named_tensors(x), others = named_tensors(y);
  return std::equal(mine.begin(), mine.end(), others.begin(), others.end(),
                    [](const NamedTensor& one, const NamedTensor& two) {
                      if (one.name != two.name || one.tensor.shape() != two.tensor.shape()) return false;
                      const Tensor u = one.tensor.to(Device::cpu), v = two.tensor.to(Device::cpu);
                      return u.dtype() == v.dtype() && std::memcmp(u.raw(), v.raw(), u.bytes()) == 0;
                    });
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

Captioner::Captioner(CaptionModel model)
    : model_(std::move(model)), encoder_(std::make_shared<const FrozenEncoder>(model_.encoder)) {}

Captioner Captioner::load(const std::string& path, Device device, ModelWeights which) {
  const MatmulPrecision set = kernels::matmul_precision();
  use_device(device, device == Device::cpu && set == MatmulPrecision::tf32 ? MatmulPrecision::f32 : set);
  CaptionModel model = load_model(path, which);
  move_to(model, device);
  return Captioner(std::move(model));
}

void Captioner::add(CaptionModel model) {
  check_ensemble(model_, model);
  check(model.device() == model_.device(), "ensemble: models on several devices");
  check(model.preprocessing.size == model_.preprocessing.size &&
            model.preprocessing.orientation == model_.preprocessing.orientation,
        "ensemble: one model reads images {} pixels wide, one {}, or not both turn them upright",
        model_.preprocessing.size, model.preprocessing.size);
  std::shared_ptr<const FrozenEncoder> encoder = see_alike(model_, model) ? encoder_ : nullptr;
  for (const std::unique_ptr<Member>& other : others_)
    if (encoder == nullptr && see_alike(other->model, model)) encoder = other->encoder;
  if (encoder == nullptr) encoder = std::make_shared<const FrozenEncoder>(model.encoder);
  others_.push_back(std::make_unique<Member>(Member{std::move(model), std::move(encoder)}));
}

int Captioner::encoders() const {
  std::set<const FrozenEncoder*> different{encoder_.get()};
  for (const std::unique_ptr<Member>& other : others_) different.insert(other->encoder.get());
  return static_cast<int>(different.size());
}

std::vector<std::vector<ImageCaption>> Captioner::caption(std::int64_t count,
                                                          const std::function<Image(std::int64_t)>& image,
                                                          const CaptionOptions& options) const {
  check(options.batch >= 1, "caption: a batch of {} images", options.batch);
  const NoGrad no_grad;
  std::vector<std::vector<ImageCaption>> result;
  for (std::int64_t begin = 0; begin < count; begin += options.batch) {
    const std::int64_t size = std::min(options.batch, count - begin);
    std::vector<Image> read(encoders() == 1 ? 0 : static_cast<std::size_t>(size));  // once for all encoders
    kernels::parallel_for_each(std::ssize(read), [&](std::int64_t i) { read[i] = image(begin + i); });
    std::map<const FrozenEncoder*, Tensor> seen;
    const auto view = [&](const CaptionModel& model, const FrozenEncoder& encoder) -> ModelView {
      Tensor& features = seen[&encoder];
      if (!features.defined())
        features = encoder(encoder_input(
            size, [&](std::int64_t i) { return read.empty() ? image(begin + i) : read[i]; }, model.preprocessing,
            model.device()));
      return {model, features};
    };
    std::vector<ModelView> views{view(model_, *encoder_)};
    for (const std::unique_ptr<Member>& other : others_) views.push_back(view(other->model, *other->encoder));
    CaptionOptions of_batch = options;
    of_batch.first_image += begin;
    for (std::vector<ImageCaption>& captions : caption_features(views, of_batch)) result.push_back(std::move(captions));
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
