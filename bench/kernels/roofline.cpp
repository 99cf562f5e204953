#include "roofline.h"

#include <unistd.h>

#include "glimpse/kernels/base/parallel.h"
#include "glimpse/kernels/base/precision.h"
#include "glimpse/kernels/gemm.h"

namespace glimpse::bench {
namespace {

template <class Device>
double copy_speed(Device device, const Place& place, const Sampling& sampling, std::int64_t bytes) {
  const Buffers<Device, float> from(device, bytes / 4, 1), to(device, bytes / 4, 1);
  const double us =
      time_calls(place, sampling, [&](int) { kernels::copy_bytes(device, bytes, from[0], to[0]); }).median;
  return 2.0 * static_cast<double>(bytes) / us * 1e6;
}

template <class T, class Device>
double product_speed(Device device, const Place& place, const Sampling& sampling, std::int64_t n,
                     kernels::MatmulPrecision precision) {
  const auto values = draw<T>(n * n, 1);
  const Buffers<Device, T> a(device, values, 1), b(device, values, 1), c(device, n * n, 1);
  kernels::set_matmul_precision(precision);
  const double us = time_calls(place, sampling, [&](int) {
                      kernels::gemm<T>(device, n, n, n, 1.0f, {a[0], n, false}, {b[0], n, true}, 0.0f, c[0], n);
                    }).median;
  kernels::set_matmul_precision(kernels::MatmulPrecision::f32);
  const auto side = static_cast<double>(n);
  return 2 * side * side * side / us * 1e6;
}

template <class Device>
Roofline measure(Device device, const Place& place, Sampling sampling, bool tiny) {
  using kernels::MatmulPrecision;
  Roofline roofline;
  const Buffers<Device, float> one(device, 1, 1);
  const auto launch = [&](int) { kernels::fill(device, std::int64_t{1}, 0.0f, one[0]); };
  Timing replayed;
  roofline.launch_us = time_calls(place, sampling, launch).median;
  if (time_replayed(place, sampling, launch, replayed)) roofline.replayed_launch_us = replayed.median;
  sampling.samples = std::min(sampling.samples, 10);  // each takes long, and they differ little
  roofline.copy = copy_speed(device, place, sampling, std::int64_t{tiny ? 1 : 512} << 20);
  const std::int64_t side = tiny ? 64 : (place.cuda ? 8192 : 2048);
  roofline.f32 = product_speed<float>(device, place, sampling, side, MatmulPrecision::f32);
  if constexpr (std::is_same_v<Device, Cuda>) {
    roofline.tf32 = product_speed<float>(device, place, sampling, side, MatmulPrecision::tf32);
    roofline.bf16 = product_speed<bf16>(device, place, sampling, side, MatmulPrecision::f32);
  }
  return roofline;
}

}  // namespace

double Roofline::least_us(const Cost& cost) const {
  const double arithmetic = cost.unit == Unit::tf32 ? tf32 : cost.unit == Unit::bf16 ? bf16 : f32;
  return 1e6 * std::max(cost.bytes / copy, cost.operations / arithmetic);
}

Roofline measure_roofline(const Place& place, const Sampling& sampling, bool tiny) {
  if constexpr (cuda_built)
    if (place.cuda) return measure(Cuda{place.stream}, place, sampling, tiny);
  return measure(Cpu{}, place, sampling, tiny);
}

double last_cache(const Place& place) {
  if constexpr (cuda_built)
    if (place.cuda) return static_cast<double>(cuda::device_info().l2_cache);
  const long third = sysconf(_SC_LEVEL3_CACHE_SIZE), second = sysconf(_SC_LEVEL2_CACHE_SIZE);
  return static_cast<double>(std::max({third, second, 1L << 20}));
}

std::string device_name(const Place& place) {
  if constexpr (cuda_built)
    if (place.cuda) return cuda::device_info().name;
  return "cpu x" + std::to_string(kernels::threads());
}

}  // namespace glimpse::bench
