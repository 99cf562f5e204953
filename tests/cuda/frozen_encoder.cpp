// The inference plan on the device against the network on the CPU.
#include "glimpse/models/encoder/frozen_encoder.h"

#include "cuda_test.h"
#include "encoder_numbers.h"
#include "glimpse/engine/autograd.h"
#include "glimpse/engine/module.h"
#include "glimpse/kernels/base/precision.h"

using namespace glimpse;
using namespace glimpse::test;

namespace {

/// An encoder whose weights are drawn by formula.
Encoder filled(Network network, std::int64_t size) {
  Generator generator(1);
  network.allocate(generator);
  EncoderOptions options;
  options.name = "test";
  options.size = static_cast<int>(size);
  Encoder encoder(options, std::move(network), {});
  for (const NamedTensor& t : named_tensors(encoder)) fill_by_formula(t.name, t.tensor);
  return encoder;
}

void check_encoder(Encoder encoder, std::int64_t images_count) {
  const NoGrad no_grad;
  // Products of linear layers have rounded factors in TF32 (test_cudnn).
  const double bound = kernels::matmul_precision() == kernels::MatmulPrecision::f32 ? 1e-5 : 1e-3;
  const Tensor images = images_by_formula(images_count, encoder.options().size);
  const Tensor truth = encoder.forward(images);
  move_to(encoder, Device::cuda);
  const FrozenEncoder frozen(encoder);
  const Tensor few = frozen(images.rows(0, 1).to(Device::cuda));
  CHECK(relative_error(few.to(Device::cpu), truth.rows(0, 1)) < bound);
  const std::vector<float> got = repeated<float>(encoder.options().name, [&] {
    const Tensor features = frozen(images);
    CHECK(features.device() == Device::cuda);
    CHECK(features.shape() == truth.shape());
    return features.to(Device::cpu).to_vector<float>();
  });
  const std::vector<float> expected = truth.to_vector<float>();
  CHECK(relative_error(got.data(), expected.data(), truth.numel()) < bound);
  CHECK(frozen(images.rows(0, 0)).shape() == Shape{0, encoder.locations(), encoder.channels()});
}

/// Joined channels made in place and copied, pools that read and write slices, a shortcut that is added by a
/// convolution and one that has to be added afterwards, activations of all kinds.
Network every_step() {
  NetworkBuilder b(18, 0);
  b.begin_stage("all");
  int x = b.relu6(b.batch_norm("n0", b.convolution("c0", b.image(), 6, 3, same_size(3), true)));
  const int pooled = b.max_pool(x, {.kernel = 3, .stride = 2, .padding = 1, .ceil_mode = true});
  const int left = b.avg_pool(x, {.kernel = 2, .stride = 2});
  x = b.avg_pool(b.concat(left, b.relu(b.convolution("c1", left, 5, 1, same_size(1)))), {.kernel = 3, .stride = 2});
  const int grouped = b.convolution("c2", pooled, 6, 3, {.stride = 2, .padding = 0, .groups = 3}, true);
  const int depthwise = b.relu6(b.convolution("c3", grouped, 6, 3, same_size(3, 1, 1, 6), true));
  const int sum = b.relu(b.add(b.convolution("c4", depthwise, 6, 1, same_size(1)), grouped));
  const int joined = b.concat(x, b.max_pool(sum, {.kernel = 3, .stride = 1, .padding = 1}));
  const int again = b.batch_norm("n1", joined);
  const int twice = b.add(b.relu(again), again);
  const int part = b.relu(b.max_pool(left, {.kernel = 3, .stride = 2}));
  b.convolution("c5", b.concat(b.concat(b.concat(twice, joined), part), x), 7, 2,
                {.stride = 1, .padding = 1, .dilation = 2});
  return b.finish("all");
}

/// Norms over channels, scales that a convolution takes in and that stand alone, gates, all functions, padding on one
/// side.
Network newer_steps() {
  NetworkBuilder b(14, 0);
  b.begin_stage("all");
  int x = b.convolution("c0", b.image(), 6, 3, {.stride = 2, .extra_padding = 1}, true);
  x = b.silu(b.layer_norm("n0", x));
  const int wide = b.gelu(b.linear("l0", x, 9));
  x = b.add(b.channel_scale("s0", b.linear("l1", wide, 6)), x);
  int gate = b.silu(b.convolution("c1", b.global_average(x), 3, 1, {}, true));
  gate = b.sigmoid(b.convolution("c2", gate, 6, 1, {}, true));
  x = b.multiply(x, gate);
  x = b.gelu(b.channel_scale("s1", b.max_pool(x, {.kernel = 2, .stride = 1})));
  const int depthwise = b.convolution("c3", x, 6, 5, {.stride = 2, .padding = 1, .groups = 6, .extra_padding = 1});
  b.layer_norm("n1", b.concat(b.relu6(b.batch_norm("n2", depthwise, {.eps = 1e-3})), depthwise));
  return b.finish("all");
}

Network to_one_cell() {
  NetworkBuilder b(9, 0);
  b.begin_stage("all");
  const int x = b.relu(b.convolution("c0", b.image(), 5, 3, same_size(3, 2), true));
  b.global_average(b.concat(x, b.batch_norm("n0", x)));
  return b.finish("all");
}

}  // namespace

TEST_CASE("a frozen encoder on the device: every kind of step") {
  check_encoder(filled(every_step(), 18), 3);
  check_encoder(filled(newer_steps(), 14), 3);
  check_encoder(filled(to_one_cell(), 9), 2);
}

TEST_CASE("a frozen encoder on the device: whole families") {
  for (const char* name : {"scratch", "resnet18", "squeezenet1_1", "mobilenet_v2", "densenet121"}) {
    INFO(name);
    check_encoder(encoder_by_formula({.name = name, .size = 32}), 2);
  }
  check_encoder(encoder_by_formula({.name = "efficientnet_b0", .stage = "features.3", .size = 32}), 2);
  check_encoder(encoder_by_formula({.name = "efficientnet_lite0", .stage = "_blocks.3", .size = 34}), 2);
  check_encoder(
      encoder_by_formula({.name = "mobilenet_v2+squeezenet1_1", .stage = "features.1+features.4", .size = 32}), 2);
  check_encoder(encoder_by_formula({.name = "convnext_tiny", .stage = "features.2", .size = 32}), 2);
}

TEST_CASE("a frozen encoder on the device takes large batches in parts") {
  Encoder encoder = encoder_by_formula({.name = "scratch", .stage = "block1", .size = 4});
  check_encoder(std::move(encoder), 65);
}
