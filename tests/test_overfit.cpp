// The schedule of the recipe "default" also learns what few images hold: a hundred captions, word for word.

#include <nlohmann/json.hpp>

#include "catch.h"
#include "glimpse/data/scenes.h"
#include "glimpse/engine/random.h"
#include "glimpse/models/captioner/captioner.h"
#include "glimpse/models/captioner/features.h"
#include "glimpse/models/training/trainer.h"
#include "scratch_folder.h"

using namespace glimpse;
using Json = nlohmann::json;

namespace {

/// A caption file with one caption of each of `train` scenes, and of two more to validate with. The photographs are
/// never opened.
std::string scene_captions(const ScratchFolder& folder, int train) {
  const CaptionSet set = SceneDataset(1, {train, 2, 1}).captions();
  Json images = Json::array();
  for (const CaptionedImage& image : set.images)
    if (image.split != "test")
      images.push_back(
          {{"filename", image.filename}, {"split", image.split}, {"sentences", {{{"tokens", image.captions[0]}}}}});
  return folder.file("captions.json", Json({{"images", images}}).dump());
}

/// Features that tell images apart and nothing else.
FeatureCache random_features(const std::string& path, const Dataset& dataset, std::int64_t channels) {
  Generator generator(7);
  return FeatureCache::build(path, {}, filenames_of(dataset.all()),
                             [&](std::int64_t begin, std::int64_t end) {
                               Tensor features = empty({end - begin, 4, channels});
                               fill_normal(features, 0, 1, generator);
                               return features;
                             },
                             {});
}

}  // namespace

TEST_CASE("the recipe \"default\" learns 100 captions word for word") {
  const ScratchFolder folder;
  const Dataset dataset(folder.path(), scene_captions(folder, 100));
  Config config = read_recipe("default");
  config.encoder.name = "squeezenet1_1";
  config.encoder.stage = "features.1";
  config.encoder.image_size = 32;
  config.data.min_count = 1;
  config.decoder.hidden = 128;
  config.decoder.embedding = config.decoder.attention_size = 64;
  const ImageList images = dataset.require_split("train");
  Generator generator(1);
  Encoder encoder = make_encoder(encoder_options(config), generator);
  const FeatureCache cache = random_features(folder / "features.safetensors", dataset, encoder.channels());
  const Vocabulary vocabulary = Vocabulary::build(images, config.data.min_count, dataset.captions().rule);
  Decoder decoder(decoder_config(config, vocabulary.size(), encoder.channels()), generator);
  decoder.set_output_bias(word_counts(vocabulary, images));
  CaptionModel model{config, vocabulary, {}, "", std::move(encoder), std::move(decoder)};

  const RunFolder run(folder / "run", 0);
  Observer observer;
  Trainer trainer({model, dataset, run, observer, {}});
  CHECK(trainer.batches_per_epoch() == 200);  // two batches, a hundred times
  trainer.run(&cache);

  const Tensor features = cached_features(model, cache)(images);
  int exact = 0;
  const auto captions = caption_features(model, features, {.beam = 1, .length_penalty = 0});
  for (std::size_t i = 0; i < images.size(); ++i) exact += captions[i][0].words == images[i]->captions[0];
  CHECK(exact == 100);
}
