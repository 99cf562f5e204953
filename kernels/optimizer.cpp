#include "glimpse/kernels/optimizer.h"

#include <algorithm>
#include <cmath>
#include <vector>

#include "glimpse/kernels/base/vectors.h"
#include "glimpse/kernels/optimizer_update.h"

namespace glimpse::kernels {
namespace {

/// Elements that one thread takes at least: below this, waking another costs more than it saves.
constexpr std::int64_t grain = 16384;
/// Elements that are summed as one unit, whatever the number of threads.
constexpr std::int64_t chunk = 4096;

/// update(p[i], g[i], moments[i]...) for all i.
template <class T, class Update, class... Moments>
void for_each(std::int64_t n, Update update, T* p, T* g, Moments*... moments) {
  vector_for(n, grain, [=](std::int64_t begin, std::int64_t end) {
#pragma omp simd
    for (std::int64_t i = begin; i < end; ++i) update(p[i], g[i], moments[i]...);
  });
}

template <class T>
void zero(std::int64_t n, T* g) {
  vector_for(n, grain, [=](std::int64_t begin, std::int64_t end) { std::fill(g + begin, g + end, T(0)); });
}

/// Sums of squares of gradients as they are, and clipped.
struct Sums {
  double all, clipped;
};

template <class T>
Sums chunk_sums(std::int64_t n, T value, const T* g) {
  double all = 0, clipped = 0;
#pragma omp simd reduction(+ : all, clipped)
  for (std::int64_t i = 0; i < n; ++i) {
    const double x = static_cast<double>(g[i]);
    const double c = static_cast<double>(limit(g[i], value));
    all += x * x;
    clipped += c * c;
  }
  return {all, clipped};
}

}  // namespace

template <class T>
void decide_step(Cpu, std::int64_t n, const StepRule& rule, const T* g, StepDecision* decision) {
  const std::int64_t chunks = (n + chunk - 1) / chunk;
  std::vector<Sums> parts(static_cast<std::size_t>(chunks));
  const T value = static_cast<T>(rule.clip_value);
  vector_for(chunks, grain / chunk, [&](std::int64_t begin, std::int64_t end) {
    for (std::int64_t c = begin; c < end; ++c)
      parts[c] = chunk_sums(std::min(chunk, n - c * chunk), value, g + c * chunk);
  });
  Sums sums{0, 0};
  for (const Sums& part : parts) {
    sums.all += part.all;
    sums.clipped += part.clipped;
  }
  double bad = -1;
  if (!std::isfinite(sums.all))
    bad = static_cast<double>(std::find_if(g, g + n, [](T x) { return !std::isfinite(x); }) - g);
  decide(rule, sums.all, sums.clipped, bad, *decision);
}

template <class T>
void sgd_step(Cpu, std::int64_t n, const SgdStep& step, const StepDecision* decision, T* p, T* g, T* b) {
  if (decision->bad >= 0) return zero(n, g);
  const SgdUpdate<T> update(step, *decision);
  if (b) return for_each(n, update, p, g, b);
  for_each(
      n,
      [=](T& pi, T& gi) {
        T none = 0;
        update(pi, gi, none);
      },
      p, g);
}

template <class T>
void rmsprop_step(Cpu, std::int64_t n, const RmsPropStep& step, const StepDecision* decision, T* p, T* g, T* v, T* b) {
  if (decision->bad >= 0) return zero(n, g);
  const RmsPropUpdate<T> update(step, *decision);
  if (b) return for_each(n, update, p, g, v, b);
  for_each(
      n,
      [=](T& pi, T& gi, T& vi) {
        T none = 0;
        update(pi, gi, vi, none);
      },
      p, g, v);
}

template <class T>
void adam_step(Cpu, std::int64_t n, const AdamStep& step, const StepDecision* decision, T* p, T* g, T* m, T* v,
               bf16* copy) {
  if (decision->bad >= 0) return zero(n, g);
  const AdamUpdate<T> update(step, *decision);
  if (!copy) return for_each(n, update, p, g, m, v);
  for_each(
      n,
      [=](T& pi, T& gi, T& mi, T& vi, bf16& ci) {
        update(pi, gi, mi, vi);
        ci = bf16(static_cast<float>(pi));
      },
      p, g, m, v, copy);
}

void decide_average(Cpu, double decay, const StepDecision* step, AverageDecision* average) {
  decide(decay, *step, *average);
}

template <class T>
void move_average(Cpu, std::int64_t n, const AverageDecision* decision, const T* p, T* average) {
  if (decision->rate == 0) return;
  const T r = static_cast<T>(decision->rate);
  vector_for(n, grain, [=](std::int64_t begin, std::int64_t end) {
#pragma omp simd
    for (std::int64_t i = begin; i < end; ++i) average[i] += r * (p[i] - average[i]);
  });
}

GLIMPSE_OPTIMIZER_KERNELS(Cpu, float)
GLIMPSE_OPTIMIZER_KERNELS(Cpu, double)

}  // namespace glimpse::kernels
