// Log probabilities of given captions, and ranks of images and captions by them.

#include <algorithm>

#include "catch.h"
#include "glimpse/engine/words.h"
#include "glimpse/kernels/base/error.h"
#include "glimpse/models/training/retrieval.h"
#include "small_decoders.h"

using namespace glimpse;

namespace {

/// log p of a caption, <start> to <end>, given one image, by step().
double stepwise_log_probability(const Decoder& decoder, const Tensor& image, const std::vector<std::int32_t>& words) {
  const DecoderMemory memory = decoder.remember(image);
  DecoderState state = decoder.start(memory);
  double total = 0;
  for (std::size_t t = 0; t + 1 < words.size(); ++t) {
    const DecoderStep step = decoder.step(memory, from_vector(std::vector<std::int32_t>{words[t]}), state);
    total += log_softmax(step.logits).to_vector<double>()[words[t + 1]];
    state = step.state;
  }
  return total;
}

/// A model whose encoder is not asked.
CaptionModel make_model_of(const Decoder& decoder) {
  std::vector<std::string> words{"<pad>", "<start>", "<end>", "<unk>"};
  for (std::int64_t i = 4; i < decoder.config.vocabulary; ++i) words.push_back("w" + std::to_string(i));
  Generator generator(1);
  CaptionModel model = make_model(read_recipe("scenes"), Vocabulary(words), generator);
  model.decoder = decoder;
  return model;
}

}  // namespace

TEST_CASE("log p of a caption is that of its words, step by step") {
  for (const bool paper : {false, true}) {
    const Decoder decoder = make_decoder(9, paper);
    const Tensor features = make_features(2);
    const std::vector<std::vector<std::int32_t>> captions = {{start_word, 5, end_word},
                                                             {start_word, 4, 8, 8, 6, end_word},
                                                             {start_word, end_word},
                                                             {start_word, 7, 5, end_word}};
    const std::vector<std::int64_t> image = {0, 1, 0, 1};
    const std::vector<double> found = decoder.log_probabilities(features, make_token_batch(captions, image));
    REQUIRE(found.size() == 4);
    for (std::size_t i = 0; i < 4; ++i) {
      INFO(paper << " " << i);
      CHECK(
          found[i] ==
          Approx(stepwise_log_probability(decoder, features.rows(image[i], image[i] + 1), captions[i])).epsilon(1e-12));
    }
  }
}

TEST_CASE("ranks become recall and a median") {
  const RetrievalRanks ranks = retrieval_ranks({11, 1, 5, 1, 10, 6});
  CHECK(ranks.r1 == Approx(2.0 / 6));
  CHECK(ranks.r5 == Approx(3.0 / 6));
  CHECK(ranks.r10 == Approx(5.0 / 6));
  CHECK(ranks.median == 5.5);
  CHECK(retrieval_ranks({7, 3, 2}).median == 3);
  CHECK_THROWS_AS(retrieval_ranks({}), Error);
}

TEST_CASE("images are spaced evenly") {
  std::vector<CaptionedImage> all(10);
  ImageList list;
  for (const CaptionedImage& image : all) list.push_back(&image);
  CHECK(evenly_spaced(list, 3) == ImageList{list[0], list[3], list[6]});
  CHECK(evenly_spaced(list, 10) == list);
  CHECK(evenly_spaced(list, 99) == list);
}

TEST_CASE("retrieval ranks every pair, whatever the blocks") {
  // 19 images: three blocks; 2 or 3 captions each: several blocks, cut within an image.
  const CaptionModel model = make_model_of(make_decoder(tutorial_decoder(12, channels), DType::f32));
  const Tensor features = make_features(19, DType::f32);
  Generator generator(4);
  std::vector<CaptionedImage> all(19);
  ImageList images;
  for (std::size_t i = 0; i < all.size(); ++i) {
    for (std::size_t c = 0; c < 2 + i % 2; ++c) {
      CaptionWords words(1 + generator.below(6));
      for (std::string& word : words) word = "w" + std::to_string(4 + generator.below(8));
      all[i].captions.push_back(words);
    }
    images.push_back(&all[i]);
  }
  all[7].captions[0] = all[3].captions[0];  // right for both
  const FeatureFunction of_images = [&](const ImageList& part) {
    return features.rows(part.front() - all.data(), part.back() - all.data() + 1);
  };
  std::int64_t done = 0;
  const RetrievalScores found = retrieve(model, images, of_images, [&](std::int64_t pairs) {
    done = pairs;
    return true;
  });

  Decoder exact = model.decoder;
  std::vector<std::vector<double>> score(19);
  std::vector<const CaptionWords*> captions;
  std::vector<std::size_t> owner;
  for (std::size_t i = 0; i < 19; ++i)
    for (const CaptionWords& caption : all[i].captions) {
      captions.push_back(&caption);
      owner.push_back(i);
    }
  std::vector<std::int64_t> of_image(19, 1), of_caption(captions.size(), 1);
  for (std::size_t i = 0; i < 19; ++i)
    for (const CaptionWords* caption : captions) {
      const auto row = static_cast<std::int64_t>(i);
      std::vector<std::vector<std::int32_t>> words{model.vocabulary.encode(*caption)};
      score[i].push_back(exact.log_probabilities(features.rows(row, row + 1), make_token_batch(words))[0]);
    }
  for (std::size_t i = 0; i < 19; ++i) {
    double best = -1e30;
    for (std::size_t c = 0; c < captions.size(); ++c)
      if (owner[c] == i) best = std::max(best, score[i][c]);
    for (std::size_t c = 0; c < captions.size(); ++c) {
      const auto& own = all[i].captions;
      if (std::find(own.begin(), own.end(), *captions[c]) == own.end()) of_image[i] += score[i][c] >= best;
      if (owner[c] != i) of_caption[c] += score[i][c] >= score[owner[c]][c];
    }
  }
  CHECK(found.images == 19);
  CHECK(found.captions == std::ssize(captions));
  CHECK(done == 19 * std::ssize(captions));
  for (const auto& [ours, truth] : {std::pair{found.find_captions, retrieval_ranks(of_image)},
                                    std::pair{found.find_images, retrieval_ranks(of_caption)}}) {
    CHECK(ours.r1 == truth.r1);
    CHECK(ours.r5 == truth.r5);
    CHECK(ours.r10 == truth.r10);
    CHECK(ours.median == truth.median);
  }
  CHECK_THROWS_WITH(retrieve(model, {images[0]}, of_images), Contains("at least 2"));
  CHECK_THROWS_AS(retrieve(model, images, of_images, [](std::int64_t) { return false; }), Stopped);
}
