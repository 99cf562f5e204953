#include "glimpse/kernels/optimizer.h"

#include <algorithm>
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
GradientSums chunk_sums(std::int64_t n, T value, const T* g) {
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
GradientSums gradient_sums(Cpu, std::int64_t n, double clip_value, const T* g) {
  const std::int64_t chunks = (n + chunk - 1) / chunk;
  std::vector<GradientSums> parts(static_cast<std::size_t>(chunks));
  const T value = static_cast<T>(clip_value);
  vector_for(chunks, grain / chunk, [&](std::int64_t begin, std::int64_t end) {
    for (std::int64_t c = begin; c < end; ++c)
      parts[c] = chunk_sums(std::min(chunk, n - c * chunk), value, g + c * chunk);
  });
  GradientSums sums{0, 0};
  for (const GradientSums& part : parts) {
    sums.all += part.all;
    sums.clipped += part.clipped;
  }
  return sums;
}

template <class T>
void sgd_step(Cpu, std::int64_t n, const SgdStep& step, const Clip& clip, T* p, T* g, T* b) {
  const SgdUpdate<T> update(step, clip);
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
void rmsprop_step(Cpu, std::int64_t n, const RmsPropStep& step, const Clip& clip, T* p, T* g, T* v, T* b) {
  const RmsPropUpdate<T> update(step, clip);
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
void adam_step(Cpu, std::int64_t n, const AdamStep& step, const Clip& clip, T* p, T* g, T* m, T* v, bf16* copy) {
  const AdamUpdate<T> update(step, clip);
  if (!copy) return for_each(n, update, p, g, m, v);
  for_each(
      n,
      [=](T& pi, T& gi, T& mi, T& vi, bf16& ci) {
        update(pi, gi, mi, vi);
        ci = bf16(static_cast<float>(pi));
      },
      p, g, m, v, copy);
}

template <class T>
void move_average(Cpu, std::int64_t n, double rate, const T* p, T* average) {
  const T r = static_cast<T>(rate);
  vector_for(n, grain, [=](std::int64_t begin, std::int64_t end) {
#pragma omp simd
    for (std::int64_t i = begin; i < end; ++i) average[i] += r * (p[i] - average[i]);
  });
}

GLIMPSE_OPTIMIZER_KERNELS(Cpu, float)
GLIMPSE_OPTIMIZER_KERNELS(Cpu, double)

}  // namespace glimpse::kernels
