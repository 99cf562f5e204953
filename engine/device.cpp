#include "glimpse/engine/device.h"

#include "glimpse/engine/dispatch.h"
#include "glimpse/kernels/base/check.h"
#include "glimpse/kernels/cuda/runtime.h"

namespace glimpse {

void use_device(Device device, MatmulPrecision matmul) {
  check(device == Device::cuda || matmul == MatmulPrecision::f32,
        "matmul {} needs the device cuda; the CPU multiplies in f32", name_of(matmul));
  if (device == Device::cpu) return;
  if constexpr (cuda_built)
    check(cuda::available(), "device cuda: {}; use the device cpu", cuda::why_unavailable());
  else
    fail("device cuda: this build has no CUDA backend; use the device cpu");
  cuda::set_matmul_precision(matmul);
}

}  // namespace glimpse
