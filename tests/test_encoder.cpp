// Encoders: what they accept, what they train, and that the inference plan is the same function.
#include <map>
#include <set>

#include "catch.h"
#include "encoder_numbers.h"
#include "error_of.h"
#include "glimpse/engine/autograd.h"
#include "glimpse/engine/optimizer.h"
#include "glimpse/kernels/base/parallel.h"
#include "glimpse/models/encoder/frozen_encoder.h"

namespace glimpse::test {
namespace {

bool contains(const std::string& text, const std::string& part) { return text.find(part) != std::string::npos; }

TEST_CASE("unknown encoders, stages and grids are named with what there is") {
  CHECK(contains(error_of([] { make_encoder({.name = "resnet51"}); }),
                 "no encoder 'resnet51' (did you mean 'resnet50'?); there are resnet18"));
  CHECK(contains(error_of([] { make_encoder({.name = "resnet18", .stage = "layer5"}); }),
                 "encoder resnet18: no stage 'layer5'; there are stem, layer1, layer2, layer3, layer4"));
  CHECK(contains(error_of([] { make_encoder({.name = "resnet18", .grid = 10, .size = 64}); }),
                 "has no grid of 10 cells a side; possible are 2, 4, 8"));
  CHECK(contains(error_of([] { make_encoder({.name = "squeezenet1_1", .grid = 14}); }), "possible are 13"));
  CHECK(contains(error_of([] { make_encoder({.name = "vgg16", .stride_in_1x1 = true}); }), "choice of ResNets"));
  CHECK(contains(error_of([] { make_encoder({.name = "resnet18", .stride_in_1x1 = true}); }), "no bottleneck"));
  CHECK(contains(error_of([] { make_encoder({.name = "squeezenet1_0", .size = 10}); }), "too small"));
  const Encoder encoder = make_encoder({.name = "scratch", .size = 64});
  CHECK(contains(error_of([&] { encoder.forward(zeros({1, 3, 32, 32})); }), "(N,3,64,64) is needed"));
  CHECK(contains(error_of([&] { FrozenEncoder{encoder}(zeros({3, 64, 64})); }), "(N,3,64,64) f32 is needed"));
}

TEST_CASE("stages and sizes of the grids") {
  struct Expected {
    const char* name;
    const char* stage;
    std::int64_t channels, side;
  };
  for (const Expected& e :
       {Expected{"resnet18", "layer4", 512, 7}, Expected{"resnet50", "layer4", 2048, 7},
        Expected{"vgg16", "block5", 512, 14}, Expected{"densenet169", "norm5", 1664, 7},
        Expected{"mobilenet_v2", "features.18", 1280, 7}, Expected{"squeezenet1_1", "features.12", 512, 13},
        Expected{"efficientnet_b0", "features.8", 1280, 7}, Expected{"efficientnet_lite2", "_conv_head", 1280, 7},
        Expected{"convnext_tiny", "features.7", 768, 7}}) {
    INFO(e.name);
    const Encoder encoder = make_encoder({.name = e.name});
    CHECK(encoder.options().stage == e.stage);
    CHECK(encoder.channels() == e.channels);
    CHECK(encoder.grid_height() == e.side);
    CHECK(encoder.locations() == e.side * e.side);
  }
  CHECK(make_encoder({.name = "densenet121", .grid = 14}).locations() == 196);
  CHECK(make_encoder({.name = "mobilenet_v2", .grid = 14}).locations() == 196);
  CHECK(make_encoder({.name = "efficientnet_b0", .grid = 14}).locations() == 196);
  CHECK(make_encoder({.name = "efficientnet_lite0", .grid = 14}).locations() == 196);
  CHECK(make_encoder({.name = "convnext_tiny", .grid = 14}).locations() == 196);
  CHECK(make_encoder({.name = "efficientnet_lite2", .size = 260}).grid_width() == 9);  // ceil(260 / 32)
  CHECK(make_encoder({.name = "efficientnet_b2", .size = 260}).grid_width() == 9);
  CHECK(make_encoder({.name = "scratch", .size = 64}).grid_width() == 8);
  CHECK(encoder_stages("squeezenet1_1").back() == "classifier");
}

TEST_CASE("a stride traded for dilation gives the cells between those of before") {
  for (const auto& [name, v1] : {std::pair{"resnet18", false},
                                 {"resnet50", false},
                                 {"resnet50", true},
                                 {"mobilenet_v2", false},
                                 {"efficientnet_lite0", false},
                                 {"convnext_tiny", false}}) {
    INFO(name << v1);
    EncoderOptions options{.name = name, .stride_in_1x1 = v1, .size = 64};
    const Encoder strided = encoder_by_formula(options);
    options.grid = 4;
    const Encoder dilated = encoder_by_formula(options);
    const NoGrad no_grad;
    const Tensor images = images_by_formula(1, 64);
    const Tensor few = strided.forward(images), many = dilated.forward(images);
    REQUIRE(few.shape() == Shape{1, 4, strided.channels()});
    REQUIRE(many.shape() == Shape{1, 16, strided.channels()});
    const Tensor rows = many.reshape({16, -1});
    const Tensor between = gather_rows(rows, from_vector<std::int32_t>({0, 2, 8, 10})).reshape(few.shape());
    CHECK(relative_error(between, few) < 1e-5);
  }
}

TEST_CASE("an encoder is its frozen part and the rest") {
  struct Cut {
    const char* name;
    const char* stage;
  };
  for (const Cut& cut :
       {Cut{"resnet18", "layer3"}, Cut{"vgg16", "block5"}, Cut{"densenet121", "denseblock4"},
        Cut{"densenet121", "transition3"}, Cut{"mobilenet_v2", "features.17"}, Cut{"squeezenet1_1", "features.9"}}) {
    INFO(cut.name << " " << cut.stage);
    Encoder encoder = encoder_by_formula({.name = cut.name, .size = 64});
    const Tensor images = images_by_formula(2, 64);
    CHECK(encoder.frozen_part()->description() == encoder.description());
    CHECK(encoder.forward_rest(images).to_vector<float>() == images.to_vector<float>());
    encoder.set_trainable(cut.stage, false);
    const std::optional<Encoder> part = encoder.frozen_part();
    REQUIRE(part);
    const Tensor before = part->forward(images), y = encoder.forward_rest(before);
    CHECK(!before.requires_grad());
    CHECK(y.requires_grad());
    CHECK(y.to_vector<float>() == encoder.forward(images).to_vector<float>());
    CHECK(contains(error_of([&] { encoder.forward_rest(y.rows(0, 0)); }), "is needed"));
    encoder.set_trainable("all", false);
    CHECK(!encoder.frozen_part());
    CHECK(contains(error_of([&] { encoder.forward_rest(before); }), "nothing comes before"));
  }
}

TEST_CASE("a network is not cut where results of several layers go on") {
  NetworkBuilder b(8, 0);
  b.begin_stage("a");
  const int x = b.relu(b.image());
  b.begin_stage("b");
  const int y = b.relu6(x);
  b.begin_stage("c");
  b.add(x, y);
  const Network network = b.finish("c");
  CHECK(network.split_before(0) == 0);
  CHECK(network.split_before(1) == x);
  CHECK(network.split_before(2) == -1);
}

TEST_CASE("the inference plan is the encoder, for any number of images and threads") {
  for (const char* name :
       {"scratch", "squeezenet1_1", "mobilenet_v2", "efficientnet_b1", "efficientnet_lite1", "convnext_tiny"}) {
    INFO(name);
    const Encoder encoder = encoder_by_formula({.name = name, .size = 64});
    const Tensor images = images_by_formula(5, 64);
    const FrozenEncoder frozen(encoder);
    const NoGrad no_grad;
    const Tensor features = frozen(images);
    CHECK(relative_error(features, encoder.forward(images)) < 1e-5);
    CHECK(frozen(images.rows(0, 0)).shape() == Shape{0, encoder.locations(), encoder.channels()});
    CHECK(frozen(images.rows(3, 4)).to_vector<float>() == features.rows(3, 4).to_vector<float>());
    const int threads = kernels::threads();
    kernels::set_threads(3);
    CHECK(frozen(images).to_vector<float>() == features.to_vector<float>());
    kernels::set_threads(threads);
  }
}

TEST_CASE("the inference plan keeps its weights") {
  Encoder encoder = encoder_by_formula({.name = "scratch", .size = 32});
  const Tensor images = images_by_formula(1, 32);
  const FrozenEncoder frozen(encoder);
  const std::vector<float> before = frozen(images).to_vector<float>();
  for (const NamedTensor& t : named_tensors(encoder)) t.tensor.fill(0);
  CHECK(frozen(images).to_vector<float>() == before);
}

TEST_CASE("training starts at the stage that was asked for") {
  Encoder encoder = make_encoder({.name = "resnet18", .size = 32});
  CHECK(parameters(encoder).empty());
  CHECK(!encoder.trainable());
  encoder.set_trainable("layer3", false);
  CHECK(encoder.trainable());
  for (const NamedTensor& t : parameters(encoder)) {
    INFO(t.name);
    CHECK((t.name.starts_with("layer3.") || t.name.starts_with("layer4.")));
    CHECK(t.tensor.rank() == 4);
  }
  CHECK(parameters(encoder).size() == 10);  // four convolutions a stage, and one on its shortcut
  encoder.set_trainable("layer4", true);
  CHECK(parameters(encoder).size() == 15);
  encoder.set_trainable("all", true);
  CHECK(parameters(encoder).size() == 60);
  encoder.set_trainable("", true);
  CHECK(parameters(encoder).empty());
  CHECK(contains(error_of([&] { encoder.set_trainable("layer5", true); }), "no stage 'layer5'"));
}

TEST_CASE("all that a trained stage of ConvNeXt and EfficientNet holds is trained") {
  const Tensor images = images_by_formula(2, 32);
  for (const auto& [name, stage] : {std::pair{"convnext_tiny", "features.7"}, {"efficientnet_b0", "features.7"}}) {
    Encoder encoder = encoder_by_formula({.name = name, .stage = stage, .size = 32});
    encoder.set_trainable(stage, false);
    mean_square(encoder.forward(images)).backward();
    for (const NamedTensor& t : named_tensors(encoder)) {
      INFO(t.name);
      const bool norm = std::string(name) == "efficientnet_b0" && t.tensor.rank() == 1 &&
                        t.name.find(".fc") == std::string::npos;  // batch norms
      CHECK(t.tensor.requires_grad() == (t.name.starts_with(stage) && !norm));
      if (!t.tensor.requires_grad()) continue;
      REQUIRE(t.tensor.grad().defined());
      CHECK(sum(square(t.tensor.grad())).item() > 0);
    }
  }
}

TEST_CASE("each encoder's pixels are normalised as its published weights want them") {
  const Preprocessing imagenet = encoder_preprocessing({.name = "convnext_tiny", .size = 64});
  CHECK(imagenet.size == 64);
  CHECK(imagenet.mean == Preprocessing().mean);
  const Preprocessing lite = encoder_preprocessing({.name = "efficientnet_lite3"});
  for (std::size_t i = 0; i < 3; ++i) {
    CHECK((255 - 255 * lite.mean[i]) / (255 * lite.std[i]) == 1);  // (255 - 127) / 128
    CHECK((0 - 255 * lite.mean[i]) / (255 * lite.std[i]) == -127.0f / 128);
  }
}

TEST_CASE("batch norms keep the family's epsilon") {
  const auto eps_of = [](const std::string& name) {
    std::set<double> found;
    const Encoder encoder = make_encoder({.name = name, .stage = encoder_stages(name)[0], .size = 32});
    for (const Layer& layer : encoder.network().layers)
      if (const auto* norm = std::get_if<BatchNormLayer>(&layer.kind)) found.insert(norm->module.eps);
    return found;
  };
  CHECK(eps_of("efficientnet_b4") == std::set<double>{1e-5});
  CHECK(eps_of("efficientnet_b5") == std::set<double>{1e-3});
  CHECK(eps_of("efficientnet_lite0") == std::set<double>{1e-3});
  CHECK(eps_of("resnet18") == std::set<double>{1e-5});
}

TEST_CASE("fine-tuning changes the trained stages alone, and batch norms only when asked") {
  const Tensor images = images_by_formula(2, 32);
  for (const bool train_norms : {false, true}) {
    Encoder encoder = encoder_by_formula({.name = "resnet18", .size = 32});
    std::map<std::string, std::vector<float>> before;
    for (const NamedTensor& t : named_tensors(encoder)) before[t.name] = t.tensor.to_vector<float>();
    encoder.set_trainable("layer4", train_norms);
    Sgd sgd(parameters(encoder), {.learning_rate = 0.01});
    mean_square(encoder.forward(images)).backward();
    sgd.step();
    for (const NamedTensor& t : named_tensors(encoder)) {
      INFO(t.name);
      const bool norm = t.tensor.rank() == 1;
      const bool changes = t.name.starts_with("layer4.") && (!norm || train_norms);
      CHECK((t.tensor.to_vector<float>() != before[t.name]) == changes);
    }
  }
}

TEST_CASE("the scratch encoder learns") {
  Generator generator(3);
  Encoder encoder = make_encoder({.name = "scratch", .size = 32}, generator);
  encoder.set_trainable("all", true);
  const Tensor images = images_by_formula(8, 32), target = empty({8, encoder.locations(), encoder.channels()});
  fill_uniform(target, 0, 1, generator);
  Adam adam(parameters(encoder), {.learning_rate = 1e-2});
  std::vector<double> losses;
  for (int step = 0; step < 20; ++step) {
    const Tensor loss = mean_square(encoder.forward(images) - target);
    losses.push_back(loss.item());
    loss.backward();
    adam.step();
  }
  CHECK(losses.back() < 0.5 * losses.front());
}

}  // namespace
}  // namespace glimpse::test
