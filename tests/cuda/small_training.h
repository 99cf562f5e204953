#pragma once
// A model and batches for tests of training on the device.

#include <string>
#include <vector>

#include "glimpse/engine/words.h"
#include "glimpse/models/training/train_step.h"
#include "op_case.h"

namespace glimpse::test {

inline constexpr std::int64_t grid_cells = 16, grid_channels = 128;  // of the encoder "scratch" for images of 32 x 32

/// A model of the recipe `tutorial` with few units. Its encoder is never asked.
inline CaptionModel make_tutorial_model(Device device) {
  Config config = read_recipe("tutorial");
  config.decoder.embedding = config.decoder.attention_size = config.decoder.hidden = 8;
  std::vector<std::string> words{"<pad>", "<start>", "<end>", "<unk>"};
  for (int i = 0; i < 20; ++i) words.push_back("w" + std::to_string(i));
  Generator generator(1);
  Decoder decoder(decoder_config(config, std::ssize(words), grid_channels), generator);
  CaptionModel model{
      config, Vocabulary(words), {}, "", make_encoder({.name = "scratch", .size = 32}), std::move(decoder)};
  move_to(model, device);
  return model;
}

/// Captions of the given numbers of words, `<start>` and `<end>` not counted, of an image each, on the host.
inline TrainingBatch make_batch(const std::vector<int>& lengths, std::uint64_t seed = 3) {
  std::vector<std::vector<std::int32_t>> captions;
  for (std::size_t i = 0; i < lengths.size(); ++i) {
    captions.push_back({start_word});
    for (int word = 0; word < lengths[i]; ++word)
      captions.back().push_back(static_cast<std::int32_t>(4 + (seed + i + static_cast<std::size_t>(word)) % 20));
    captions.back().push_back(end_word);
  }
  TrainingBatch batch;
  batch.tokens = make_token_batch(captions);
  Draw draw(seed);
  batch.features = draw.normal({std::ssize(lengths), grid_cells, grid_channels}).to(DType::f32);
  return batch;
}

inline constexpr std::int64_t stored_images = 9;

/// Features for that model, in a file.
inline FeatureCache random_features(const std::string& path, DType dtype) {
  std::vector<std::string> names;
  for (std::int64_t i = 0; i < stored_images; ++i) names.push_back("image" + std::to_string(i));
  Draw draw(5);
  const Tensor all = draw.normal({stored_images, grid_cells, grid_channels}).to(DType::f32);
  return FeatureCache::build(path, {}, names,
                             [&](std::int64_t begin, std::int64_t end) { return all.rows(begin, end); },
                             {.dtype = dtype, .progress = {}});
}

}  // namespace glimpse::test
