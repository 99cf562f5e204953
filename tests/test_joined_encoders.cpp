// Encoders side by side: one network whose features are those of each, joined.

#include "catch.h"
#include "encoder_numbers.h"
#include "error_of.h"
#include "glimpse/engine/autograd.h"
#include "glimpse/engine/io/safetensors.h"
#include "glimpse/models/captioner/captioner.h"
#include "glimpse/models/captioner/features.h"
#include "glimpse/models/encoder/frozen_encoder.h"
#include "glimpse/models/encoder/weights.h"
#include "scratch_folder.h"

namespace glimpse::test {
namespace {

std::vector<NamedTensor> tensors_by_formula(const EncoderOptions& options) {
  Encoder encoder = encoder_by_formula(options);
  return named_tensors(encoder);
}

/// Weight files of mobilenet_v2 and squeezenet1_1 up to these stages, and the two as --weights takes them.
struct Files {
  ScratchFolder folder;
  std::string first = folder / "a.safetensors", second = folder / "b.safetensors", both = first + "+" + second;
  Files() {
    write_safetensors(first, tensors_by_formula({.name = "mobilenet_v2", .stage = "features.2", .size = 64}));
    write_safetensors(second, tensors_by_formula({.name = "squeezenet1_1", .stage = "features.4", .size = 64}));
  }
};

const EncoderOptions together{.name = "squeezenet1_1+mobilenet_v2", .stage = "features.4+features.2", .size = 64};

}  // namespace

TEST_CASE("encoders side by side give what each gives, on one grid") {
  const Files files;
  const EncoderOptions alone[] = {{.name = "squeezenet1_1", .stage = "features.4", .size = 64},
                                  {.name = "mobilenet_v2", .stage = "features.2", .size = 64}};
  Encoder joined = make_encoder(together);
  load_encoder_weights(joined, files.second + "+" + files.first);
  const Encoder first = encoder_by_formula(alone[0]), second = encoder_by_formula(alone[1]);
  REQUIRE(first.grid_width() == 15);
  REQUIRE(second.grid_width() == 16);
  CHECK(joined.grid_width() == 15);
  CHECK(joined.channels() == 128 + 24);
  CHECK(joined.options().stage == "features.4+features.2");
  CHECK(joined.description() ==
        "squeezenet1_1+mobilenet_v2 to features.4+features.2 at 64 pixels: 15x15 cells of 152 "
        "values");
  const NoGrad no_grad;
  const Tensor images = images_by_formula(2, 64);
  const Tensor grid = permute(second.forward(images).reshape({2, 16, 16, 24}), {0, 3, 1, 2});
  const Tensor averaged = permute(adaptive_avg_pool2d(grid, 15, 15), {0, 2, 3, 1}).reshape({2, 225, 24});
  const Tensor expected = concat({first.forward(images), averaged}, 2);
  CHECK(relative_error(joined.forward(images), expected) < 1e-6);
  CHECK(relative_error(FrozenEncoder(joined)(images), expected) < 1e-5);
}

TEST_CASE("encoders side by side get pixels normalised as each wants them") {
  const EncoderOptions alone[] = {{.name = "squeezenet1_1", .stage = "features.4", .size = 64},
                                  {.name = "efficientnet_lite0", .stage = "_blocks.1", .size = 64}};
  const EncoderOptions both{.name = "squeezenet1_1+efficientnet_lite0", .stage = "features.4+_blocks.1", .size = 64};
  const ScratchFolder folder;
  write_safetensors(folder / "a.safetensors", tensors_by_formula(alone[0]));
  write_safetensors(folder / "b.safetensors", tensors_by_formula(alone[1]));
  Encoder joined = make_encoder(both);
  load_encoder_weights(joined, folder / "a.safetensors" + "+" + (folder / "b.safetensors"));
  CHECK(encoder_preprocessing(both).mean == encoder_preprocessing(alone[0]).mean);

  const NoGrad no_grad;
  const Tensor images = images_by_formula(2, 64);
  Tensor others = images.clone();
  const Preprocessing from = encoder_preprocessing(alone[0]), to = encoder_preprocessing(alone[1]);
  REQUIRE(from.mean != to.mean);
  for (std::int64_t i = 0; i < others.numel(); ++i) {
    const std::int64_t channel = i / (64 * 64) % 3;
    const float pixel = others.data<float>()[i] * from.std[channel] + from.mean[channel];
    others.data<float>()[i] = (pixel - to.mean[channel]) / to.std[channel];
  }
  const Encoder first = encoder_by_formula(alone[0]), second = encoder_by_formula(alone[1]);
  const std::int64_t side = second.grid_width();
  const Tensor grid = permute(second.forward(others).reshape({2, side, side, second.channels()}), {0, 3, 1, 2});
  const Tensor averaged = permute(adaptive_avg_pool2d(grid, 15, 15), {0, 2, 3, 1}).reshape({2, 225, second.channels()});
  const Tensor expected = concat({first.forward(images), averaged}, 2);
  CHECK(relative_error(joined.forward(images), expected) < 1e-5);
  CHECK(relative_error(FrozenEncoder(joined)(images), expected) < 1e-5);
}

TEST_CASE("an encoder that can gives the common grid by dilation") {
  const Encoder joined = make_encoder({.name = "vgg16+mobilenet_v2", .grid = 4, .size = 64});
  CHECK(joined.grid_width() == 4);
  CHECK(joined.channels() == 512 + 1280);
  int dilated = 0, averages = 0;
  for (const Layer& layer : joined.network().layers) {
    if (const auto* convolution = std::get_if<ConvolutionLayer>(&layer.kind))
      dilated += convolution->module.options.dilation > 1;
    averages += std::holds_alternative<AdaptiveAverageLayer>(layer.kind);
  }
  CHECK(dilated > 0);
  CHECK(averages == 0);
  CHECK(make_encoder({.name = "vgg16+mobilenet_v2", .size = 64}).grid_width() == 2);  // the least of 4 and 2
}

TEST_CASE("each of several encoders is a stage that can be trained") {
  Encoder joined = make_encoder(together);
  CHECK(joined.stages() == std::vector<std::string>{"squeezenet1_1", "mobilenet_v2", "features.4+features.2"});
  joined.set_trainable("mobilenet_v2", false);
  mean_square(joined.forward(images_by_formula(1, 64))).backward();
  for (const NamedTensor& t : named_tensors(joined)) {
    INFO(t.name);
    const bool trained = t.name.starts_with("mobilenet_v2.") && t.tensor.rank() == 4;
    CHECK(t.tensor.requires_grad() == trained);
    CHECK(t.tensor.grad().defined() == trained);
  }
}

TEST_CASE("weights of encoders side by side: a file each, and all or none") {
  const Files files;
  Encoder joined = make_encoder(together);
  const std::string in_order = files.second + "+" + files.first;
  CHECK(error_of([&] { load_encoder_weights(joined, files.first); }) ==
        files.first + ": names 1 files; encoder squeezenet1_1+mobilenet_v2 needs 2, with + between them");
  const std::vector<float> before = named_tensors(joined)[0].tensor.to_vector<float>();
  const std::string wrong = error_of([&] { load_encoder_weights(joined, files.second + "+" + files.second); });
  CHECK(wrong.find(files.second + ": tensors do not match") == 0);
  CHECK(named_tensors(joined)[0].tensor.to_vector<float>() == before);
  load_encoder_weights(joined, in_order);
  CHECK(named_tensors(joined)[0].tensor.to_vector<float>() != before);

  const std::string hash = hash_weights(together.name, in_order);
  CHECK(hash != hash_weights("resnet18", files.first));
  CHECK(hash != hash_weights(together.name, files.both));  // the order counts
  CHECK(hash == hash_weights(together.name, in_order));
}

TEST_CASE("encoders that cannot stand side by side") {
  const auto refused = [](const EncoderOptions& options) { return error_of([&] { make_encoder(options); }); };
  CHECK(refused({.name = "resnet18+"}).find("no encoder ''; there are resnet18") == 0);
  CHECK(refused({.name = "resnet18+resnet51"}).find("no encoder 'resnet51' (did you mean 'resnet50'?)") == 0);
  CHECK(refused({.name = "resnet18+resnet18", .size = 64}) == "encoder resnet18: named twice");
  CHECK(refused({.name = "resnet18+scratch", .size = 64}) ==
        "encoder resnet18+scratch: scratch has no weights yet and stands alone");
  CHECK(refused({.name = "resnet18+vgg16", .stage = "layer3", .size = 64}) ==
        "encoder resnet18+vgg16: stage 'layer3' names 1, not one for each of 2 encoders");
  CHECK(refused({.name = "mobilenet_v2+resnet18", .stage = "features.2+layer3", .size = 64}) ==
        "encoder mobilenet_v2: features.2 has 24 channels; beside another encoder a multiple of 16 is needed, or the "
        "last place");
  CHECK(refused({.name = "vgg16+densenet121", .stride_in_1x1 = true, .size = 64}).find("choice of ResNets") !=
        std::string::npos);
}

TEST_CASE("encoders side by side are trained from one of them on") {
  Encoder joined = make_encoder(together);
  joined.set_trainable("mobilenet_v2", false);
  const std::vector<NamedTensor> trained = parameters(joined);
  REQUIRE_FALSE(trained.empty());
  for (const NamedTensor& t : trained) CHECK(t.name.starts_with("mobilenet_v2."));
  // The last stage only joins.
  CHECK(error_of([&] { joined.set_trainable("features.4+features.2", true); }) ==
        "encoder squeezenet1_1+mobilenet_v2: nothing from features.4+features.2 on can be trained");
}

TEST_CASE("a model with encoders side by side comes back from its file, and its key tells it from others") {
  const Files files;
  Config config;
  config.encoder.name = together.name;
  config.encoder.stage = together.stage;
  config.encoder.image_size = 64;
  config.encoder.weights = files.second + "+" + files.first;
  config.decoder.hidden = config.decoder.embedding = config.decoder.attention_size = 6;
  const Vocabulary vocabulary({"<pad>", "<start>", "<end>", "<unk>", "a"}, WordRule::unicode);
  Generator generator(3);
  CaptionModel model = make_model(config, vocabulary, generator);
  const std::string path = files.folder / "model.safetensors";
  save_model(model, path);
  const CaptionModel back = load_model(path);
  const Tensor images = images_by_formula(1, 64);
  CHECK(FrozenEncoder(back.encoder)(images).to_vector<float>() ==
        FrozenEncoder(model.encoder)(images).to_vector<float>());
  const FeatureKey key = feature_key(model.encoder, model.preprocessing, "images", "weights");
  const Encoder other = make_encoder({.name = "squeezenet1_1", .stage = "features.4", .size = 64});
  CHECK(key.encoder != feature_key(other, model.preprocessing, "images", "weights").encoder);
}

}  // namespace glimpse::test
