// The one-file model: everything comes back, and files that are something else are refused.

#include <cmath>
#include <cstring>
#include <limits>
#include <nlohmann/json.hpp>
#include <numeric>

#include "catch.h"
#include "error_of.h"
#include "glimpse/engine/io/file.h"
#include "glimpse/engine/io/safetensors.h"
#include "glimpse/engine/random.h"
#include "glimpse/kernels/base/error.h"
#include "glimpse/models/captioner/captioner.h"
#include "glimpse/models/captioner/model.h"
#include "glimpse/models/training/checkpoint.h"
#include "glimpse/models/training/validation.h"
#include "memory_of.h"
#include "scratch_folder.h"

using namespace glimpse;
using glimpse::test::error_of;

namespace {

Config small_config() {
  Config config;
  config.encoder.name = "scratch";
  config.encoder.image_size = 32;
  config.decoder.embedding = 6;
  config.decoder.attention_size = 5;
  config.decoder.hidden = 8;
  config.decoder.output = OutputLayer::deep;
  return config;
}

const Vocabulary vocabulary({"<pad>", "<start>", "<end>", "<unk>", "a", "\"quoted\"", "caf\xc3\xa9"},
                            WordRule::unicode);

CaptionModel small_model() {
  Generator generator(3);
  return make_model(small_config(), vocabulary, generator);
}

}  // namespace

TEST_CASE("a captioner comes back from its file") {
  const ScratchFolder folder;
  CaptionModel model = small_model();
  model.preprocessing.mean = {0.1f, 0.2f, 1.0f / 3.0f};
  model.encoder_source = "abc";
  save_model(model, folder / "model.safetensors", {{"scores", "{}"}});
  CaptionModel back = load_model(folder / "model.safetensors");

  REQUIRE(config_differences(model.config, back.config).empty());
  REQUIRE(back.vocabulary.words() == vocabulary.words());
  REQUIRE(back.vocabulary.rule() == WordRule::unicode);
  REQUIRE(back.preprocessing.size == 32);
  REQUIRE(back.preprocessing.mean == model.preprocessing.mean);
  REQUIRE(back.preprocessing.std == model.preprocessing.std);
  REQUIRE(back.encoder_source == "abc");
  const std::vector<NamedTensor> before = named_tensors(model), after = named_tensors(back);
  REQUIRE(before.size() == after.size());
  for (std::size_t i = 0; i < before.size(); ++i) {
    CAPTURE(before[i].name);
    REQUIRE(before[i].name == after[i].name);
    REQUIRE(before[i].tensor.to_vector<float>() == after[i].tensor.to_vector<float>());
    REQUIRE_FALSE(after[i].tensor.requires_grad());
  }
  Tensor images = empty({2, 3, 32, 32});
  Generator generator(5);
  fill_normal(images, 0, 1, generator);
  REQUIRE(model.encoder.forward(images).to_vector<float>() == back.encoder.forward(images).to_vector<float>());
  REQUIRE(read_safetensors(folder / "model.safetensors").metadata.at("scores") == "{}");
}

TEST_CASE("files that are no captioner are refused by name") {
  const ScratchFolder folder;
  CaptionModel model = small_model();
  const std::string path = folder / "model.safetensors";

  write_safetensors(path, named_tensors(model));
  REQUIRE_THAT(error_of([&] { load_model(path); }), Contains(path) && Contains("no captioner"));

  write_checkpoint(path, {}, named_tensors(model));
  REQUIRE_THAT(error_of([&] { load_model(path); }), Contains(path) && Contains("use best.safetensors"));

  REQUIRE_THAT(error_of([&] { load_model(folder / "none.safetensors"); }), Contains("none.safetensors"));

  save_model(model, path);
  SafetensorsFile file = read_safetensors(path);
  SECTION("a tensor is missing") {
    const std::string name = file.tensors.back().name;
    file.tensors.pop_back();
    write_safetensors(folder / "b.safetensors", file.tensors, file.metadata);
    REQUIRE_THAT(error_of([&] { load_model(folder / "b.safetensors"); }), Contains("b.safetensors") && Contains(name));
  }
  SECTION("the vocabulary is shorter than the weights say") {
    file.metadata["vocabulary"] = R"(["<pad>", "<start>", "<end>", "<unk>", "a"])";
    write_safetensors(folder / "b.safetensors", file.tensors, file.metadata);
    REQUIRE_THAT(error_of([&] { load_model(folder / "b.safetensors"); }), Contains("(7,6)") && Contains("(5,6)"));
  }
  SECTION("the vocabulary is cut") {
    file.metadata["vocabulary"] = R"(["<pad>", "<star)";
    write_safetensors(folder / "b.safetensors", file.tensors, file.metadata);
    REQUIRE_THAT(error_of([&] { load_model(folder / "b.safetensors"); }),
                 Contains("b.safetensors: vocabulary: JSON ends"));
  }
  SECTION("the words follow a rule of another version, or of none") {
    file.metadata["words"] = "syllables";
    write_safetensors(folder / "b.safetensors", file.tensors, file.metadata);
    REQUIRE_THAT(error_of([&] { load_model(folder / "b.safetensors"); }), Contains("the rule 'syllables'"));
    file.metadata.erase("words");
    write_safetensors(folder / "b.safetensors", file.tensors, file.metadata);
    REQUIRE(load_model(folder / "b.safetensors").vocabulary.rule() == WordRule::ascii);
  }
}

TEST_CASE("projected features and tied weights come back from a file, which captions as before") {
  const ScratchFolder folder;
  Config config = small_config();
  config.decoder.projection = 9;
  config.decoder.projection_dropout = config.decoder.embedding_dropout = 0.5;
  config.decoder.tied = true;
  Generator generator(3);
  CaptionModel model = make_model(config, vocabulary, generator);
  const std::string path = folder / "model.safetensors";
  save_model(model, path);
  for (const NamedTensor& t : read_safetensors(path).tensors) REQUIRE(t.name != "decoder.output.weight");
  CaptionModel back = load_model(path);
  REQUIRE(config_differences(config, back.config).empty());
  const Tensor images = zeros({2, 3, 32, 32});
  fill_normal(images, 0, 1, generator);
  const CaptionOptions options{.n_best = 3, .attention = true};
  const auto expected = caption_features(model, FrozenEncoder(model.encoder)(images), options);
  const auto found = caption_features(back, FrozenEncoder(back.encoder)(images), options);
  for (std::size_t i = 0; i < 2; ++i)
    for (std::size_t k = 0; k < expected[i].size(); ++k) {
      REQUIRE(found[i][k].words == expected[i][k].words);
      REQUIRE(found[i][k].log_probability == expected[i][k].log_probability);
    }
}

TEST_CASE("a model with a visual sentinel comes back from its file, and says beta beside each word") {
  const ScratchFolder folder;
  Config config = small_config();
  config.decoder.attention = AttentionKind::sentinel;
  Generator generator(3);
  CaptionModel model = make_model(config, vocabulary, generator);
  for (const NamedTensor& p : named_tensors(model.decoder)) fill_normal(p.tensor, 0, 0.5, generator);
  const std::string path = folder / "model.safetensors";
  save_model(model, path);
  CaptionModel back = load_model(path);
  REQUIRE(config_differences(config, back.config).empty());
  const Tensor images = zeros({2, 3, 32, 32});
  fill_normal(images, 0, 1, generator);
  const CaptionOptions options{.attention = true};
  const auto expected = caption_features(model, FrozenEncoder(model.encoder)(images), options);
  const auto found = caption_features(back, FrozenEncoder(back.encoder)(images), options);
  for (std::size_t i = 0; i < 2; ++i) {
    const ImageCaption& caption = found[i][0];
    REQUIRE(caption.words == expected[i][0].words);
    REQUIRE(caption.beta == expected[i][0].beta);
    REQUIRE(caption.beta.size() == caption.words.size());
    const AttentionMaps maps = attention_maps(caption);
    REQUIRE(maps.beta == caption.beta);
    for (std::size_t t = 0; t < caption.words.size(); ++t) {
      const auto map = maps.weights.begin() + static_cast<std::ptrdiff_t>(t) * maps.rows * maps.columns;
      REQUIRE(std::accumulate(map, map + maps.rows * maps.columns, caption.beta[t]) == Approx(1).epsilon(1e-5));
    }
  }
}

TEST_CASE("a file whose weights cannot be tied is named") {
  const ScratchFolder folder;
  CaptionModel model = small_model();
  model.config.decoder.output = OutputLayer::linear;
  model.config.decoder.tied = true;
  const std::string path = folder / "model.safetensors";
  save_model(model, path);
  REQUIRE(error_of([&] { load_model(path); }) ==
          path + ": decoder: tied weights with a linear output need hidden = embedding, not 8 and 6");
}

TEST_CASE("files of before there were choices about the decoder's inputs load as they did") {
  const ScratchFolder folder;
  CaptionModel model = small_model();
  save_model(model, folder / "new.safetensors");
  SafetensorsFile file = read_safetensors(folder / "new.safetensors");
  auto config = nlohmann::json::parse(file.metadata["config"]);
  for (const char* key : {"projection", "projection_dropout", "embedding_dropout", "tied"})
    REQUIRE(config["decoder"].erase(key) == 1);
  file.metadata["config"] = config.dump();
  write_safetensors(folder / "old.safetensors", file.tensors, file.metadata);
  REQUIRE(config_differences(load_model(folder / "old.safetensors").config, model.config).empty());
}

TEST_CASE("an encoder needs its weights") {
  Config config = small_config();
  config.encoder.name = "resnet18";
  config.encoder.image_size = 64;
  Generator generator(1);
  REQUIRE_THAT(error_of([&] { make_model(config, vocabulary, generator); }),
               Contains("encoder resnet18 needs") && Contains("--weights"));
}

TEST_CASE("configuration becomes the models' options") {
  Config config = small_config();
  config.decoder.attention = AttentionKind::none;
  config.loss.reduction = Reduction::paper;
  config.loss.doubly_stochastic = 3;
  config.encoder.stage = "layer3";
  config.encoder.grid = 14;
  config.encoder.stride_in_1x1 = true;
  const DecoderConfig decoder = decoder_config(config, 11, 13);
  REQUIRE(decoder.vocabulary == 11);
  REQUIRE(decoder.channels == 13);
  REQUIRE(decoder.embedding == 6);
  REQUIRE(decoder.attention_size == 5);
  REQUIRE(decoder.hidden == 8);
  REQUIRE_FALSE(decoder.attends());
  REQUIRE(decoder.deep_output());
  REQUIRE(loss_options(config).reduction == Reduction::paper);
  REQUIRE(loss_options(config).doubly_stochastic == 0);  // nothing to be stochastic without attention
  config.decoder.attention = AttentionKind::soft;
  REQUIRE(loss_options(config).doubly_stochastic == 3);
  REQUIRE(decoder.context_size() == 13);
  config.decoder.projection = 4;
  REQUIRE(decoder_config(config, 11, 13).context_size() == 4);
  const EncoderOptions encoder = encoder_options(config);
  REQUIRE(encoder.name == "scratch");
  REQUIRE(encoder.stage == "layer3");
  REQUIRE(encoder.grid == 14);
  REQUIRE(encoder.stride_in_1x1);
  REQUIRE(encoder.size == 32);
}

TEST_CASE("a captioner with NaN among its weights is refused") {
  const ScratchFolder folder;
  CaptionModel model = small_model();
  model.decoder.output.bias.data<float>()[2] = std::numeric_limits<float>::quiet_NaN();
  const std::string path = folder / "model.safetensors";
  save_model(model, path);
  REQUIRE(error_of([&] { load_model(path); }) == path + ": tensor 'decoder.output.bias' holds NaN or infinity");
}

TEST_CASE("what a captioner only claims to hold is not allocated") {
  const ScratchFolder folder;
  CaptionModel model = small_model();
  const std::string path = folder / "model.safetensors";
  const auto claim = [&](auto&& change, const std::string& reason) {
    const Config good = model.config;
    change(model.config);
    save_model(model, path);
    model.config = good;
    REQUIRE_THAT(error_of([&] { load_model(path); }), Contains(path + ": ") && Contains(reason));
    REQUIRE(glimpse::test::memory_of([&] { error_of([&] { load_model(path); }); }) < 100e6);
  };
  claim([](Config& c) { c.decoder.hidden = 8192; }, "decoder.cell.weight_hh is (32,8), not (32768,8192)");
  claim([](Config& c) { c.decoder.embedding = 8192; }, "decoder.embedding.weight is (7,6), not (7,8192)");
  claim([](Config& c) { c.decoder.attention_size = 8192; }, "decoder.query.weight is (5,8), not (8192,8)");
  claim([](Config& c) { c.decoder.projection = 8192; }, "missing: decoder.projection.bias");
  claim([](Config& c) { c.encoder.name = "resnet152"; }, "missing: encoder.");
  claim([](Config& c) { c.encoder.name = "resnet151"; }, "no encoder 'resnet151'");
  claim([](Config& c) { c.encoder.image_size = 1024; }, "its preprocessing makes images of 32 pixels");

  model.preprocessing.std[1] = 0;
  save_model(model, path);
  REQUIRE_THAT(error_of([&] { load_model(path); }), Contains("its preprocessing has mean") && Contains("and std 0"));
}

TEST_CASE("no mutation of a captioner's file does worse than throw") {
  const ScratchFolder folder;
  CaptionModel model = small_model();
  const std::string path = folder / "model.safetensors";
  save_model(model, path);
  const std::string valid = read_text_file(path);
  std::uint64_t length = 0;
  std::memcpy(&length, valid.data(), sizeof length);
  std::uint64_t state = 7;
  const auto random = [&](std::uint64_t n) {
    state = state * 6364136223846793005u + 1442695040888963407u;
    return (state >> 33) % n;
  };
  int accepted = 0;
  for (int i = 0; i < 600; ++i) {
    std::string bytes = valid;
    for (std::uint64_t changes = 1 + random(2); changes > 0; --changes)
      bytes[8 + random(length)] = R"(0123456789"{}[],:e-.\ax)"[random(23)];
    folder.file("model.safetensors", bytes);
    try {
      load_model(path);
      ++accepted;
    } catch (const Error& e) {
      CHECK_THAT(e.what(), Contains("model.safetensors"));
    }
  }
  CHECK(accepted > 6);
  CHECK(accepted < 540);
}

TEST_CASE("the models of an ensemble write the same words") {
  Generator generator(1);
  const auto with = [&](const std::vector<std::string>& words, WordRule rule = WordRule::unicode) {
    return make_model(small_config(), Vocabulary(words, rule), generator);
  };
  const std::vector<std::string> words{"<pad>", "<start>", "<end>", "<unk>", "a", "b"};
  const CaptionModel first = with(words);
  CHECK_NOTHROW(check_ensemble(first, with(words)));
  CHECK_THROWS_WITH(check_ensemble(first, with({"<pad>", "<start>", "<end>", "<unk>", "a", "c"})),
                    "ensemble: word 5 is 'b' in one vocabulary and 'c' in another; models must share one");
  CHECK_THROWS_WITH(check_ensemble(first, with({"<pad>", "<start>", "<end>", "<unk>", "a"})),
                    Contains("vocabularies of 6 and 5 words"));
  CHECK_THROWS_WITH(check_ensemble(first, with(words, WordRule::ascii)), Contains("'unicode'") && Contains("'ascii'"));
  Captioner captioner(with(words));
  Config larger = small_config();
  larger.encoder.image_size *= 2;
  CHECK_THROWS_WITH(captioner.add(make_model(larger, Vocabulary(words, WordRule::unicode), generator)),
                    Contains("pixels wide"));
  captioner.add(with(words));
  CHECK(captioner.caption(std::vector<Image>{}).empty());
}

namespace {

/// Of small_model()'s encoder, but for the last bit of its last weight where another one is wanted, and a decoder of
/// its own.
CaptionModel member(std::uint64_t seed, bool other_encoder = false) {
  CaptionModel model = small_model();
  Generator generator(seed);
  for (const NamedTensor& t : named_tensors(model.decoder)) fill_normal(t.tensor, 0, 0.5, generator);
  const Tensor weight = named_tensors(model.encoder).back().tensor;
  float& last = weight.data<float>()[weight.numel() - 1];
  if (other_encoder) last = std::nextafter(last, 9.0f);
  return model;
}

}  // namespace

TEST_CASE("an encoder that the models of an ensemble share runs once") {
  const CaptionModel a = member(1), b = member(2), c = member(3, true);
  CHECK(see_alike(a, a));
  CHECK(see_alike(a, b));
  CHECK_FALSE(see_alike(a, c));
  CaptionModel normalised_otherwise = member(1);
  normalised_otherwise.preprocessing.mean[1] += 0.01f;
  CHECK_FALSE(see_alike(a, normalised_otherwise));

  Captioner captioner(member(1));
  captioner.add(member(2));
  CHECK(captioner.encoders() == 1);
  captioner.add(member(3, true));
  CHECK(captioner.encoders() == 2);
  captioner.add(member(4, true));
  CHECK(captioner.encoders() == 2);

  Generator generator(8);
  const Tensor pixels = empty({3, 3, 32, 32});
  std::vector<Image> images;
  for (int i = 0; i < 3; ++i) {
    images.push_back({32, 32, {}});
    for (int k = 0; k < 32 * 32 * 3; ++k) images[i].rgb.push_back(static_cast<std::uint8_t>(generator.next()));
    to_planes(images[i], 32, a.preprocessing.mean, a.preprocessing.std, pixels.data<float>() + i * 3 * 32 * 32);
  }
  const Tensor features = FrozenEncoder(a.encoder)(pixels), other = FrozenEncoder(c.encoder)(pixels);
  const CaptionModel d = member(4, true);
  const auto expected = caption_features({{a, features}, {b, features}, {c, other}, {d, other}});
  const auto found = captioner.caption(images);
  REQUIRE(found.size() == 3);
  for (std::size_t i = 0; i < found.size(); ++i) {
    CHECK(found[i][0].words == expected[i][0].words);
    CHECK(found[i][0].score == Approx(expected[i][0].score).epsilon(1e-5));
  }

  int calls = 0;
  const FeatureFunction counted = [&](const ImageList& list) {
    ++calls;
    return features.rows(0, std::ssize(list));
  };
  const CaptionedImage image{"a.png", "", "val", {{"a"}}};
  const std::vector<EnsembleMember> ensemble{{a, counted}, {b, counted}};
  const DecodedSplit decoded = decode_split(ensemble, ImageList(3, &image), {.batch = 2});
  CHECK(calls == 2);  // once a batch
  const auto of_two = caption_features({{a, features}, {b, features}});
  for (std::size_t i = 0; i < 2; ++i) CHECK(decoded.captions[i][0].words == of_two[i][0].words);
}
