#include "glimpse/engine/random.h"

#include <cmath>
#include <numbers>

#include "glimpse/kernels/check.h"
#include "glimpse/kernels/philox.h"

namespace glimpse {

Generator::State Generator::reserve(std::int64_t numbers) {
  const State begin = state_;
  state_.position += static_cast<std::uint64_t>((numbers + 3) / 4);
  return begin;
}

std::uint32_t Generator::next() {
  const State at = reserve(1);
  return kernels::philox(at.seed, at.position).v[0];
}

double Generator::uniform() {
  const State at = reserve(2);
  const kernels::Philox4 r = kernels::philox(at.seed, at.position);
  const std::uint64_t bits = (static_cast<std::uint64_t>(r.v[0]) << 32 | r.v[1]) >> 11;
  return static_cast<double>(bits) * 0x1p-53;
}

std::uint64_t Generator::below(std::uint64_t n) {
  check(n > 0, "random: below(0)");
  const std::uint64_t limit = ~std::uint64_t{0} - (~std::uint64_t{0} % n + 1) % n;
  for (;;) {
    const State at = reserve(2);
    const kernels::Philox4 r = kernels::philox(at.seed, at.position);
    const std::uint64_t bits = static_cast<std::uint64_t>(r.v[0]) << 32 | r.v[1];
    if (bits <= limit) return bits % n;
  }
}

double Generator::normal() {
  const double radius = std::sqrt(-2.0 * std::log(1.0 - uniform()));
  return radius * std::cos(2.0 * std::numbers::pi * uniform());
}

Generator& default_generator() {
  static Generator generator(1);
  return generator;
}

namespace {

template <class Draw>
void fill_with(const Tensor& x, Draw draw) {
  Tensor host = x.device() == Device::cpu ? x.detach() : Tensor(x.shape(), x.dtype(), Device::cpu);
  check(x.dtype() == DType::f32 || x.dtype() == DType::f64, "random: {} cannot be filled", name_of(x.dtype()));
  for (std::int64_t i = 0; i < x.numel(); ++i) {
    const double value = draw();
    if (x.dtype() == DType::f64)
      host.data<double>()[i] = value;
    else
      host.data<float>()[i] = static_cast<float>(value);
  }
  if (x.device() != Device::cpu) x.copy_from(host);
}

}  // namespace

void fill_uniform(const Tensor& x, double low, double high, Generator& generator) {
  fill_with(x, [&] { return low + (high - low) * generator.uniform(); });
}

void fill_normal(const Tensor& x, double mean, double std, Generator& generator) {
  fill_with(x, [&] { return mean + std * generator.normal(); });
}

}  // namespace glimpse
