// Training by the scores of captions that the model draws: the scores, the draws, and that a run gets better by them.

#include <algorithm>
#include <cmath>
#include <filesystem>
#include <numeric>

#include "catch.h"
#include "glimpse/data/cider_d.h"
#include "glimpse/engine/words.h"
#include "glimpse/kernels/base/error.h"
#include "glimpse/models/search/sample.h"
#include "resumed_run.h"
#include "scratch_folder.h"
#include "small_run.h"

using namespace glimpse;

namespace {

CaptionWords words_of(const std::string& text) {
  CaptionWords words;
  std::istringstream stream(text);
  for (std::string word; stream >> word;) words.push_back(word);
  return words;
}

/// A decoder of few words, drawn so that they are not equally likely.
Decoder small_decoder() {
  DecoderConfig config;
  config.vocabulary = 9;
  config.channels = 5;
  config.embedding = config.attention_size = config.hidden = 6;
  Generator generator(3);
  Decoder decoder(config, generator);
  for (const NamedTensor& p : named_tensors(decoder)) fill_normal(p.tensor, 0, 0.6, generator);
  return decoder;
}

Tensor some_features(std::int64_t images) {
  Generator generator(4);
  const Tensor features = empty({images, 3, 5});
  fill_normal(features, 0, 1, generator);
  return features;
}

}  // namespace

TEST_CASE("CIDEr-D of one caption is that of the caption among all") {
  const std::vector<std::vector<CaptionWords>> references{
      {words_of("a red dog runs on grass"), words_of("the dog runs")},
      {words_of("two cats sleep on a sofa"), words_of("cats on a red sofa")},
      {words_of("a man rides a horse"), words_of("a man on a horse in the sun")}};
  const std::vector<CaptionWords> captions{
      words_of("a dog runs on the grass grass"), words_of("zebras sleep on zebras zebras"), {}};
  const Scores scores = score_captions(captions, references);
  CiderD cider(references);
  for (int again = 0; again < 3; ++again)
    for (std::size_t i = 0; i < captions.size(); ++i)
      CHECK(cider(i, captions[i]) == Approx(scores.of_image(i, "cider")).epsilon(1e-12));
  CHECK_THROWS_AS(CiderD(std::vector<std::vector<CaptionWords>>(1)), Error);
}

TEST_CASE("with <end> as a word a caption that breaks off gains nothing") {
  std::vector<std::vector<CaptionWords>> references{
      {words_of("a man with a hat <end>"), words_of("a man with a dog <end>")},
      {words_of("two dogs <end>")},
      {words_of("a red car <end>")}};
  CiderD cider(references);
  CHECK(cider(0, words_of("a man with a")) < cider(0, words_of("a man with a hat <end>")));
  for (auto& of_image : references)
    for (CaptionWords& reference : of_image) reference.pop_back();
  CiderD without(references);
  const double lost = without(0, words_of("a man with a hat")) - without(0, words_of("a man with a"));
  CHECK(cider(0, words_of("a man with a hat <end>")) - cider(0, words_of("a man with a")) > 1.1 * lost);
}

TEST_CASE("captions are drawn with the probability that the decoder gives them") {
  const Decoder decoder = small_decoder();
  const Tensor features = some_features(2);
  Generator generator(5);
  constexpr int samples = 20000;
  const auto drawn = sample_captions(decoder, features, generator, {.samples = samples, .max_length = 2});
  const DecoderMemory memory = decoder.remember(features);
  const auto start = from_vector(std::vector<std::int32_t>(2, start_word));
  const DecoderStep first = decoder.step(memory, start, decoder.start(memory));
  for (int image = 0; image < 2; ++image) {
    std::vector<double> logits = first.logits.rows(image, image + 1).to_vector<double>();
    logits[pad_word] = logits[start_word] = -INFINITY;  // are never drawn
    double sum = 0;
    for (double& l : logits) sum += l = std::exp(l);
    std::vector<int> counts(logits.size());
    for (const SampledCaption& caption : drawn[image]) {
      CHECK(caption.words.size() <= 2);
      CHECK((caption.finished || caption.words.size() == 2));
      ++counts[caption.words.empty() ? end_word : caption.words[0]];
    }
    for (std::size_t w = 0; w < logits.size(); ++w) {
      CAPTURE(image, w);
      const double p = logits[w] / sum;
      CHECK(std::abs(counts[w] - samples * p) <= 5 * std::sqrt(samples * p * (1 - p)));  // five standard deviations
    }
  }
}

TEST_CASE("the same numbers draw the same captions, others others") {
  const Decoder decoder = small_decoder();
  const Tensor features = some_features(3);
  const auto texts = [&](std::uint64_t seed) {
    Generator generator(seed);
    std::vector<std::vector<std::int32_t>> words;
    for (const auto& of_image : sample_captions(decoder, features, generator, {.samples = 4, .max_length = 12}))
      for (const SampledCaption& caption : of_image) words.push_back(caption.words);
    return words;
  };
  CHECK(texts(1) == texts(1));
  CHECK(texts(1) != texts(2));
  CHECK(texts(1).size() == 12);
  Generator generator(1);
  CHECK(sample_captions(decoder, some_features(0), generator).empty());
  CHECK_THROWS_AS(sample_captions(decoder, features, generator, {.samples = 0}), Error);
  CHECK_THROWS_AS(sample_captions(decoder, features, generator, {.max_length = 0}), Error);
}

TEST_CASE("a run by what the model draws raises the scores of what it draws") {
  const ScratchFolder folder;
  std::vector<std::string> first = small_training(folder / "first", 12);
  first.insert(first.end(), {"scenes.train=60", "training.schedule=constant"});
  REQUIRE(run_program(first).code == 0);
  const auto command = [&](const std::string& run, int epochs, const std::vector<std::string>& more) {
    std::vector<std::string> arguments{"train_flickr",
                                       "--init",
                                       folder / "first/best.safetensors",
                                       "--recipe",
                                       "self-critical",
                                       "--run",
                                       run,
                                       "--threads",
                                       "1",
                                       "--epochs",
                                       std::to_string(epochs),
                                       "--set",
                                       "training.learning_rate=1e-3",
                                       "encoder.learning_rate=0",
                                       "training.clip_value=0",
                                       "training.clip_norm=1",
                                       "training.log_every=1",
                                       "training.checkpoint_every=1"};
    arguments.insert(arguments.end(), more.begin(), more.end());
    return arguments;
  };

  SECTION("more and more") {
    const std::string run = folder / "better";
    const ProgramResult r = run_program(command(run, 12, {"self_critical.cross_entropy=0"}));
    INFO(r.out << r.err);
    REQUIRE(r.code == 0);
    REQUIRE_THAT(r.out, Contains("bad endings"));
    std::vector<double> rewards;
    for (const nlohmann::json& line : log_of(run))
      if (line.contains("reward")) rewards.push_back(line["reward"]);
    REQUIRE(rewards.size() == 36);  // 60 images, 20 a batch
    const auto mean = [&](std::size_t from) { return std::accumulate(&rewards[from], &rewards[from] + 9, 0.0) / 9; };
    CHECK(mean(27) > 1.1 * mean(0));
  }
  SECTION("with greedy captions as the baseline") {
    const ProgramResult r =
        run_program(command(folder / "greedy", 1, {"self_critical.baseline=greedy", "self_critical.samples=1"}));
    INFO(r.out << r.err);
    REQUIRE(r.code == 0);
    REQUIRE(log_of(folder / "greedy")[0]["reward"] > 0);
  }
  SECTION("and goes on to the same bits") {
    REQUIRE(run_program(command(folder / "whole", 2, {})).code == 0);
    const std::string run = folder / "stopped";
    const ProgramResult part = run_program(
        command(run, 2, {}), {.signal_after_ms = 1, .signal = SIGINT, .wait_for = run + "/last.safetensors"});
    REQUIRE(part.code == 130);
    const ProgramResult rest = run_program({"train_flickr", "--run", run, "--resume"});
    INFO(rest.out << rest.err);
    REQUIRE(rest.code == 0);
    require_equal_runs(folder / "whole", run);
  }
  SECTION("but not from nothing, nor from one caption an image") {
    const ProgramResult nothing = run_program({"train_flickr", "--recipe", "self-critical", "--run", folder / "bad"});
    CHECK(nothing.code == 1);
    CHECK_THAT(nothing.err, Contains("--init MODEL"));
    const ProgramResult one = run_program(command(folder / "bad", 1, {"self_critical.samples=1"}));
    CHECK(one.code == 1);
    CHECK_THAT(one.err, Contains("leave-one-out needs self_critical.samples of at least 2"));
    CHECK_FALSE(std::filesystem::exists(folder / "bad"));
  }
}
