#include "glimpse/engine/random.h"

#include "glimpse/engine/ops/arguments.h"
#include "glimpse/kernels/base/check.h"
#include "glimpse/kernels/random.h"

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
  return kernels::unit_double(r.v[0], r.v[1]);
}

std::uint64_t Generator::below(std::uint64_t n) {
  check(n > 0, "random: below(0)");
  const std::uint64_t limit = ~std::uint64_t{0} - (~std::uint64_t{0} % n + 1) % n;  // multiples of n, minus one
  for (;;) {
    const State at = reserve(2);
    const kernels::Philox4 r = kernels::philox(at.seed, at.position);
    const std::uint64_t bits = static_cast<std::uint64_t>(r.v[0]) << 32 | r.v[1];
    if (bits <= limit) return bits % n;
  }
}

double Generator::normal() {
  const State at = reserve(4);
  double value;
  kernels::fill_normal(kernels::Cpu{}, 1, 0.0, 1.0, at.seed, at.position, &value);
  return value;
}

Generator& default_generator() {
  static Generator generator(1);
  return generator;
}

namespace {

/// Two 32-bit numbers for each element, drawn on the CPU: what parameters start from is the same on every device.
template <class Fill>
void fill_on_cpu(const Tensor& x, Generator& generator, Fill fill) {
  require_floating("random", "x", x);
  const Generator::State random = generator.reserve(2 * x.numel());
  if (!generator.draws()) return;
  const Tensor host = x.device() == Device::cpu ? x : Tensor(x.shape(), x.dtype(), Device::cpu);
  if (x.dtype() == DType::f64)
    fill(random, host.data<double>());
  else
    fill(random, host.data<float>());
  if (x.device() != Device::cpu) x.copy_from(host);
}

}  // namespace

void fill_uniform(const Tensor& x, double low, double high, Generator& generator) {
  fill_on_cpu(x, generator, [&](Generator::State random, auto* first) {
    kernels::fill_uniform(kernels::Cpu{}, x.numel(), low, high, random.seed, random.position, first);
  });
}

void fill_normal(const Tensor& x, double mean, double std, Generator& generator) {
  fill_on_cpu(x, generator, [&](Generator::State random, auto* first) {
    kernels::fill_normal(kernels::Cpu{}, x.numel(), mean, std, random.seed, random.position, first);
  });
}

}  // namespace glimpse
