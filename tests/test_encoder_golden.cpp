// Encoders against PyTorch's (golden/make_encoder_goldens.py), the differentiable pass and the inference plan alike.
#include <algorithm>
#include <cstdlib>
#include <filesystem>
#include <map>
#include <nlohmann/json.hpp>
#include <sstream>

#include "catch.h"
#include "encoder_numbers.h"
#include "glimpse/data/image.h"
#include "glimpse/engine/autograd.h"
#include "glimpse/engine/io/safetensors.h"
#include "glimpse/engine/ops.h"
#include "glimpse/models/encoder/frozen_encoder.h"
#include "glimpse/models/encoder/preprocessing.h"
#include "glimpse/models/encoder/weights.h"

namespace glimpse::test {
namespace {

constexpr double forward_tolerance = 1e-5, trained_tolerance = 1e-4;

/// "resnet50-v1 layer4 5": encoder, stage, grid.
EncoderOptions options_of(const std::string& run, int size) {
  std::istringstream words(run);
  EncoderOptions options;
  words >> options.name >> options.stage >> options.grid;
  options.size = size;
  if (options.name.ends_with("-v1")) {
    options.name.resize(options.name.size() - 3);
    options.stride_in_1x1 = true;
  }
  return options;
}

TEST_CASE("every family's features equal PyTorch's") {
  const SafetensorsFile golden = read_safetensors(GLIMPSE_TEST_DATA "/encoders.safetensors");
  const int size = std::stoi(golden.metadata.at("size"));
  const Tensor images = images_by_formula(2, size);
  CHECK(golden.tensors.size() == 28);
  for (const NamedTensor& run : golden.tensors) {
    INFO(run.name);
    const Encoder encoder = encoder_by_formula(options_of(run.name, size));
    const NoGrad no_grad;
    const Tensor features = encoder.forward(images);
    CHECK(relative_error(golden_slice(features), run.tensor) < forward_tolerance);
    const FrozenEncoder frozen(encoder);
    CHECK(relative_error(frozen(images), features) < forward_tolerance);
  }
}

TEST_CASE("every family has torchvision's tensors") {
  const SafetensorsFile golden = read_safetensors(GLIMPSE_TEST_DATA "/encoders.safetensors");
  const auto structure = nlohmann::json::parse(golden.metadata.at("structure"));
  for (const auto& [name, expected] : structure.items()) {
    INFO(name);
    EncoderOptions options{.name = name, .size = 32};
    if (name.starts_with("squeezenet")) options.size = 64;
    std::vector<std::string> lines;
    for (const TensorInfo& t : encoder_tensors(options)) {
      std::string line = t.name + " ";
      for (const std::int64_t n : t.shape) line += std::to_string(n) + ",";
      line.pop_back();
      lines.push_back(line);
    }
    std::sort(lines.begin(), lines.end());
    std::string all;
    for (const std::string& line : lines) all += line + "\n";
    all.pop_back();
    CHECK(lines.size() == expected[0].get<std::size_t>());
    CHECK(checksum(all) == expected[1].get<std::uint32_t>());
  }
  CHECK(structure.size() + 1 == encoder_names().size());  // all but scratch
}

/// The folder that holds weights/ and flickr8k/, or "" when there is none: data that the project cannot ship.
std::string shared_folder() {
  const char* given = std::getenv("GLIMPSE_SHARED");
  const std::string folder = given ? given : GLIMPSE_SOURCE "/../shared";
  const bool complete =
      std::filesystem::exists(folder + "/weights") && std::filesystem::exists(folder + "/flickr8k/images");
  return complete ? folder : "";
}

Tensor photographs(const std::string& folder, const std::vector<std::string>& names, const Preprocessing& p) {
  const Tensor images = empty({static_cast<std::int64_t>(names.size()), 3, p.size, p.size});
  for (std::size_t i = 0; i < names.size(); ++i) {
    const auto row = static_cast<std::int64_t>(i);
    to_planes(read_image(folder + names[i]), p.size, p.mean, p.std, images.rows(row, row + 1).data<float>());
  }
  return images;
}

/// What EfficientNet-Lite's classifier, which is no part of the encoder, says of features (1,L,D).
Tensor lite_logits(const Tensor& features, const std::string& weights) {
  Tensor weight, bias;
  for (const NamedTensor& t : read_safetensors(weights).tensors) {
    if (t.name == "_fc.weight") weight = t.tensor.to(DType::f32);
    if (t.name == "_fc.bias") bias = t.tensor.to(DType::f32);
  }
  return linear(mean(features, 1), weight, bias);
}

TEST_CASE("features of trained weights equal PyTorch's on photographs") {
  const std::string shared = shared_folder();
  if (shared.empty()) {
    WARN("skipped: no weights and photographs; set GLIMPSE_SHARED to a folder with weights/ and flickr8k/images/");
    return;
  }
  const SafetensorsFile golden = read_safetensors(GLIMPSE_TEST_DATA "/encoders_trained.safetensors");
  const auto names = nlohmann::json::parse(golden.metadata.at("images")).get<std::vector<std::string>>();
  CHECK(golden.tensors.size() == 8);
  for (const NamedTensor& run : golden.tensors) {
    INFO(run.name);
    const std::string file = run.name.substr(0, run.name.find(' ')), stage = run.name.substr(run.name.find(' ') + 1);
    const bool lite = file.starts_with("efficientnet_lite");
    EncoderOptions options{.name = file, .stage = stage != "class" ? stage : lite ? "_conv_head" : "classifier"};
    if (file.ends_with("_layer3")) options.name = file.substr(0, file.find('_'));
    options.stride_in_1x1 = file.find("_v1_") != std::string::npos;
    Encoder encoder = make_encoder(options);
    const std::string weights = shared + "/weights/" + file + ".safetensors";
    load_encoder_weights(encoder, weights);
    const Tensor images = photographs(shared + "/flickr8k/images/", names, encoder_preprocessing(options));
    const Tensor features = FrozenEncoder(encoder)(images);
    for (std::int64_t i = 0; i < images.size(0); ++i) {
      const Tensor one = features.rows(i, i + 1).reshape({-1});
      if (stage == "class") {
        const Tensor logits = lite ? lite_logits(features.rows(i, i + 1), weights) : one;
        const float* values = logits.data<float>();
        CHECK(std::max_element(values, values + logits.numel()) - values == run.tensor.data<std::int32_t>()[i]);
      } else {
        CHECK(relative_error(golden_slice(one), run.tensor.rows(i, i + 1).reshape({-1})) < trained_tolerance);
      }
    }
  }
}

}  // namespace
}  // namespace glimpse::test
