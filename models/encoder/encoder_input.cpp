#include "glimpse/models/encoder/encoder_input.h"

#include <algorithm>
#include <vector>

#include "glimpse/engine/dispatch.h"
#include "glimpse/kernels/base/parallel.h"
#include "glimpse/kernels/cuda/runtime.h"
#include "glimpse/kernels/image_normalize.h"

namespace glimpse {
namespace {

/// Of any type, so that a build without CUDA emits nothing of it.
template <class Device>
void normalize_there(Device device, const std::vector<std::uint8_t>& rgb, const Preprocessing& p, const Tensor& y) {
  const kernels::Normalization normalization{{p.mean[0], p.mean[1], p.mean[2]}, {p.std[0], p.std[1], p.std[2]}};
  const cuda::Scratch<std::uint8_t> bytes(std::ssize(rgb), device.stream, "the bytes of photographs");
  cuda::copy_to_device(bytes.data(), rgb.data(), rgb.size(), device.stream);
  kernels::image_normalize(device, y.size(0), y.size(2) * y.size(3), normalization, bytes.data(), y.data<float>());
}

}  // namespace

Tensor encoder_input(std::int64_t count, const std::function<Image(std::int64_t)>& image, const Preprocessing& p,
                     Device device) {
  const Tensor y({count, 3, p.size, p.size}, DType::f32, device);
  const std::int64_t one = std::int64_t{3} * p.size * p.size;
  on(device, [&](auto tag) {
    if constexpr (std::is_same_v<decltype(tag), kernels::Cuda>) {
      std::vector<std::uint8_t> rgb(static_cast<std::size_t>(count * one));
      kernels::parallel_for_each(count, [&](std::int64_t i) {
        const Image squashed = resize(image(i), p.size, p.size);
        std::copy(squashed.rgb.begin(), squashed.rgb.end(), rgb.begin() + i * one);
      });
      normalize_there(tag, rgb, p, y);
    } else {
      float* out = y.data<float>();
      kernels::parallel_for_each(count,
                                 [&](std::int64_t i) { to_planes(image(i), p.size, p.mean, p.std, out + i * one); });
    }
  });
  return y;
}

}  // namespace glimpse
