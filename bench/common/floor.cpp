#include "floor.h"

#include <algorithm>
#include <chrono>
#include <cmath>
#include <cstring>

#include "bench.h"
#include "glimpse/kernels/base/parallel.h"
#include "glimpse/kernels/gemm.h"
#include "glimpse/kernels/packed_gemm.h"

namespace glimpse::bench {
namespace {

using kernels::Cpu;

double copy_rate() {
  constexpr std::int64_t size = 1 << 26;  // floats: more than the caches
  const Tensor from = zeros({size}), to = zeros({size});
  const double seconds = least_seconds([&] {
    kernels::parallel_for(size, 1 << 20, [&](std::int64_t begin, std::int64_t end) {
      std::memcpy(to.data<float>() + begin, from.data<float>() + begin,
                  static_cast<std::size_t>(end - begin) * sizeof(float));
    });
  });
  return 2.0 * size * sizeof(float) / seconds;
}

/// By whichever of the kernels is quicker: with a matrix that is laid out already, or by the one for any product.
double product_seconds(std::int64_t m, std::int64_t n, std::int64_t k) {
  Generator generator(1);
  const Tensor a = normal_tensor({m, k}, generator), b = normal_tensor({k, n}, generator), c = empty({m, n});
  const Tensor packed = empty({kernels::packed_size<float>(Cpu{}, k, n)});
  kernels::pack<float>(Cpu{}, k, n, {b.data<float>(), n}, packed.data<float>());
  return std::min(
      least_seconds([&] {
        kernels::gemm<float>(Cpu{}, m, n, k, 1, {a.data<float>(), k}, {b.data<float>(), n}, 0, c.data<float>(), n);
      }),
      least_seconds([&] {
        kernels::packed_gemm<float>(Cpu{}, m, n, k, a.data<float>(), packed.data<float>(), false, c.data<float>());
      }));
}

}  // namespace

double least_seconds(const std::function<void()>& run) {
  const auto time = [&](int calls) {
    const auto begin = std::chrono::steady_clock::now();
    for (int i = 0; i < calls; ++i) run();
    return std::chrono::duration<double>(std::chrono::steady_clock::now() - begin).count() / calls;
  };
  time(1);
  const int calls = std::max(1, static_cast<int>(3e-3 / time(1)));
  double best = time(calls);
  for (int round = 0; round < 4; ++round) best = std::min(best, time(calls));
  return best;
}

Floor::Floor() : copy_(copy_rate()) {}

void Floor::product(std::int64_t m, std::int64_t n, std::int64_t k, std::int64_t count) {
  const auto [entry, is_new] = measured_.try_emplace({m, n, k}, 0);
  if (is_new) entry->second = product_seconds(m, n, k);
  work_ += static_cast<double>(count) * entry->second;
}

void add_floor(nlohmann::ordered_json& result, double floor, double seconds) {
  const auto rounded = [](double x) { return std::round(x * 1e3) / 1e3; };
  result["floor_ms"] = rounded(floor * 1e3);
  result["share_of_floor"] = rounded(floor / seconds);
}

}  // namespace glimpse::bench
