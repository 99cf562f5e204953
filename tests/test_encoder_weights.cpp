// Weights of encoders: the tensors of a file, under whatever names, and what does not fit.
#include <limits>
#include <set>

#include "catch.h"
#include "encoder_numbers.h"
#include "error_of.h"
#include "glimpse/engine/io/safetensors.h"
#include "glimpse/kernels/base/error.h"
#include "glimpse/models/encoder/weights.h"
#include "scratch_folder.h"

namespace glimpse::test {
namespace {

bool contains(const std::string& text, const std::string& part) { return text.find(part) != std::string::npos; }

/// The tensors of an encoder as a file would hold them.
std::vector<NamedTensor> file_tensors(const EncoderOptions& options) {
  Encoder encoder = encoder_by_formula(options);
  return named_tensors(encoder);
}

TEST_CASE("weights of a file: converted, missing, of another shape, left over") {
  const ScratchFolder folder;
  const std::string path = folder / "weights.safetensors";
  const EncoderOptions options{.name = "resnet18", .stage = "layer2", .size = 32};
  std::vector<NamedTensor> tensors = file_tensors(options);
  const auto load = [&] {
    write_safetensors(path, tensors);
    Encoder encoder = make_encoder(options);
    const std::vector<std::string> left_over = load_encoder_weights(encoder, path).left_over;
    return std::pair{named_tensors(encoder), left_over};
  };
  const auto change = [&](const std::string& name, auto&& f) {
    for (NamedTensor& t : tensors)
      if (t.name == name) f(t);
  };

  SECTION("16-bit weights are converted") {
    for (NamedTensor& t : tensors) t.tensor = t.tensor.to(DType::f16);
    for (const NamedTensor& t : load().first) {
      const Tensor expected = empty(t.tensor.shape());
      fill_by_formula(t.name, expected);
      CHECK(relative_error(t.tensor, expected) < 1e-3);
    }
  }
  SECTION("later stages, the classifier and PyTorch's counters may be there") {
    tensors.push_back({"layer3.0.conv1.weight", zeros({1})});
    tensors.push_back({"fc.weight", zeros({1000, 512})});
    tensors.push_back({"bn1.num_batches_tracked", zeros({1}, DType::i32)});
    const std::vector<std::string> left_over = load().second;
    CHECK(std::set<std::string>(left_over.begin(), left_over.end()) ==
          std::set<std::string>{"fc.weight", "layer3.0.conv1.weight"});
  }
  SECTION("an unknown tensor is an error") {
    tensors.push_back({"layer2.7.conv1.weight", zeros({1})});
    CHECK(contains(error_of(load), path + ": tensors do not match: 1 left over: layer2.7.conv1.weight"));
  }
  SECTION("so is a missing one") {
    std::erase_if(tensors, [](const NamedTensor& t) { return t.name == "layer1.1.bn2.running_var"; });
    CHECK(contains(error_of(load), "1 missing: layer1.1.bn2.running_var"));
  }
  SECTION("and one of another shape") {
    change("conv1.weight", [](NamedTensor& t) { t.tensor = zeros({64, 3, 3, 3}); });
    CHECK(contains(error_of(load), "conv1.weight is (64,3,3,3), not (64,3,7,7)"));
  }
  SECTION("a file that ends early says how to use it") {
    std::erase_if(tensors, [](const NamedTensor& t) { return t.name.starts_with("layer2."); });
    CHECK(contains(error_of(load), "the file ends with stage layer1: ask for --stage layer1"));
  }
}

TEST_CASE("weights under other names, among other tensors") {
  const ScratchFolder folder;
  const std::string path = folder / "weights.safetensors";
  const EncoderOptions options{.name = "resnet18", .stage = "layer1", .size = 32};
  const std::vector<NamedTensor> plain = file_tensors(options);
  const auto with_prefix = [&](const std::string& prefix, std::vector<NamedTensor> more = {}) {
    for (const NamedTensor& t : plain) more.push_back({prefix + t.name, t.tensor});
    return more;
  };
  const auto load = [&](const std::vector<NamedTensor>& tensors) {
    write_safetensors(path, tensors);
    Encoder encoder = make_encoder(options);
    EncoderWeights weights = load_encoder_weights(encoder, path);
    for (const NamedTensor& t : named_tensors(encoder)) {
      const Tensor expected = empty(t.tensor.shape());
      fill_by_formula(t.name, expected);
      CHECK(relative_error(t.tensor, expected) == 0);
    }
    return weights;
  };
  CHECK(load(plain).note.empty());
  for (const std::string prefix : {"module.", "_orig_mod.", "model_state_dict.module.", "backbone.", "encoder.0."}) {
    const EncoderWeights weights = load(with_prefix(
        prefix,
        {{prefix + "fc.weight", zeros({10, 64})}, {"optimizer.state.0.exp_avg", zeros({3})}, {"epoch", zeros({})}}));
    CHECK(weights.prefix == prefix);
    CHECK(weights.left_over == std::vector<std::string>{"fc.weight"});
    CHECK(weights.note == path + ": the weights are those under '" + prefix + "'; 2 other tensors are not used");
  }
  SECTION("running averages stand back") {
    std::vector<NamedTensor> averages = with_prefix("model_ema.");
    for (NamedTensor& t : averages) t.tensor = zeros(t.tensor.shape());
    CHECK(load(with_prefix("model.", averages)).prefix == "model.");
  }
  SECTION("which of two is left to the user") {
    CHECK(contains(error_of([&] { load(with_prefix("teacher.", with_prefix("student."))); }),
                   "under 'student.' and under 'teacher.'; save one of them alone"));
  }
  SECTION("mistakes are said of the names below the prefix") {
    std::vector<NamedTensor> short_of = with_prefix("module.");
    std::erase_if(short_of, [](const NamedTensor& t) { return t.name == "module.layer1.1.bn2.bias"; });
    CHECK(contains(error_of([&] { load(short_of); }), "1 missing: layer1.1.bn2.bias;"));
    CHECK(contains(error_of([&] {
                     load(with_prefix("module.", {{"module.layer1.2.bn1.bias", zeros({64})}}));
                   }),
                   "1 left over: layer1.2.bn1.bias"));
  }
  SECTION("a file without tensors") {
    CHECK(contains(error_of([&] { load({}); }), path + ": holds no tensors"));
  }
  SECTION("NaN is named, and nothing is loaded") {
    std::vector<NamedTensor> broken = with_prefix("");
    broken[1].tensor = broken[1].tensor.clone();
    broken[1].tensor.data<float>()[0] = std::numeric_limits<float>::quiet_NaN();
    CHECK(error_of([&] { load(broken); }) == path + ": tensor '" + broken[1].name + "' holds NaN or infinity");
  }
}

TEST_CASE("weights of a network's features alone") {
  const ScratchFolder folder;
  const std::string path = folder / "weights.safetensors";
  const EncoderOptions options{.name = "squeezenet1_1", .stage = "features.4", .size = 32};
  std::vector<NamedTensor> tensors = file_tensors(options);
  for (NamedTensor& t : tensors) t.name = "net." + t.name.substr(std::string("features.").size());
  write_safetensors(path, tensors);
  Encoder encoder = make_encoder(options);
  CHECK(load_encoder_weights(encoder, path).prefix == "net.");
  for (NamedTensor& t : tensors) t.name = t.name.substr(4);
  write_safetensors(path, tensors);
  CHECK(load_encoder_weights(encoder, path).note == path + ": names without their 'features.'");
}

TEST_CASE("names and shapes of all encoders are known before they are allocated") {
  for (const std::string& name : encoder_names()) {
    if (name == "convnext_base" || name == "convnext_large") continue;  // hundreds of MB, and as the smaller ones
    INFO(name);
    const EncoderOptions options{.name = name, .size = 64};
    Encoder encoder = make_encoder(options);
    const std::vector<NamedTensor> tensors = named_tensors(encoder);
    const std::vector<TensorInfo> known = encoder_tensors(options);
    REQUIRE(known.size() == tensors.size());
    for (std::size_t i = 0; i < known.size(); ++i) {
      CHECK(known[i].name == tensors[i].name);
      CHECK(known[i].shape == tensors[i].tensor.shape());
    }
  }
}

TEST_CASE("DenseNet weights under torchvision's old names") {
  const ScratchFolder folder;
  const std::string path = folder / "weights.safetensors";
  const EncoderOptions options{.name = "densenet121", .stage = "denseblock1", .size = 32};
  std::vector<NamedTensor> tensors = file_tensors(options);
  int renamed = 0;
  for (NamedTensor& t : tensors) {
    const std::size_t at = t.name.find("denselayer1.norm2.");
    if (at != std::string::npos) renamed += t.name.replace(at, 18, "denselayer1.norm.2.").empty() ? 0 : 1;
  }
  CHECK(renamed == 4);
  write_safetensors(path, tensors);
  Encoder encoder = make_encoder(options);
  CHECK(load_encoder_weights(encoder, path).left_over.empty());
}

}  // namespace
}  // namespace glimpse::test
