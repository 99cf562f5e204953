#include "glimpse/kernels/image_normalize.h"

#include "cuda_test.h"

using namespace glimpse;
using namespace glimpse::test;

namespace {

const kernels::Normalization normalization{{0.485f, 0.456f, 0.406f}, {0.229f, 0.224f, 0.225f}};

std::vector<std::uint8_t> bytes(std::int64_t n) {
  std::vector<std::uint8_t> values;
  for (const std::int32_t v : draw_words(n, 256, 1)) values.push_back(static_cast<std::uint8_t>(v));
  return values;
}

}  // namespace

TEST_CASE("images become planes, by the formula") {
  const std::vector<std::uint8_t> rgb = bytes(2 * 5 * 3);
  std::vector<float> y(rgb.size());
  kernels::image_normalize(Cpu{}, 2, 5, normalization, rgb.data(), y.data());
  std::vector<double> truth(rgb.size());
  for (std::size_t image = 0; image < 2; ++image)
    for (std::size_t pixel = 0; pixel < 5; ++pixel)
      for (std::size_t c = 0; c < 3; ++c)
        truth[(image * 3 + c) * 5 + pixel] =
            (rgb[(image * 5 + pixel) * 3 + c] / 255.0 - static_cast<double>(normalization.mean[c])) /
            static_cast<double>(normalization.std[c]);
  check_close("image_normalize", y, truth, 8, 2);
}

TEST_CASE("images become planes on the device with the bits of the CPU") {
  struct Case {
    std::int64_t n, pixels;
  };
  for (const Case& c : {Case{0, 4}, {2, 0}, {1, 1}, {1, 4}, {3, 9}, {2, 16}, {67, 3}, {2, 1024}, {3, 1089}}) {
    const std::string name = "image_normalize (" + std::to_string(c.n) + "," + std::to_string(c.pixels) + ")";
    const std::vector<std::uint8_t> rgb = bytes(c.n * c.pixels * 3);
    std::vector<float> truth(rgb.size());
    kernels::image_normalize(Cpu{}, c.n, c.pixels, normalization, rgb.data(), truth.data());
    for (const std::int64_t off : {0, 1}) {  // on addresses that packs fit, and on others
      std::vector<std::uint8_t> shifted(static_cast<std::size_t>(off), std::uint8_t{7});
      shifted.insert(shifted.end(), rgb.begin(), rgb.end());
      const std::vector<float> got = repeated<float>(name, [&] {
        DeviceArray<std::uint8_t> in(shifted);
        DeviceArray<float> out(c.n * c.pixels * 3);
        kernels::image_normalize(Cuda{}, c.n, c.pixels, normalization, in.data() + off, out.data());
        return out.host();
      });
      check_same(name, got, truth);
    }
  }
}
