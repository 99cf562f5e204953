#include "suite.h"

#include <cstdlib>
#include <limits>
#include <new>

#include "glimpse/kernels/base/parallel.h"
#include "glimpse/kernels/random.h"

namespace glimpse::bench {
namespace {

std::vector<void (*)(Suite&)>& families() {
  static std::vector<void (*)(Suite&)> all;
  return all;
}

}  // namespace

RowRegistrar::RowRegistrar(void (*add)(Suite&)) { families().push_back(add); }

std::vector<KernelCase> all_rows(bool tiny) {
  Suite suite(tiny);
  for (const auto add : families()) add(suite);
  std::vector<KernelCase> rows = suite.cases();
  std::stable_sort(rows.begin(), rows.end(),
                   [](const KernelCase& a, const KernelCase& b) { return a.kernel < b.kernel; });
  return rows;
}

template <class T>
std::vector<T> draw(std::int64_t n, std::uint64_t seed, double scale) {
  std::vector<float> values(static_cast<std::size_t>(n));
  const double reach = std::sqrt(3.0) * scale;
  kernels::fill_uniform(Cpu{}, n, -reach, reach, seed, 0, values.data());
  if constexpr (std::is_same_v<T, float>) {
    return values;
  } else {
    std::vector<T> rounded(values.size());
    kernels::convert(Cpu{}, n, values.data(), rounded.data());
    return rounded;
  }
}
template std::vector<float> draw(std::int64_t, std::uint64_t, double);
template std::vector<bf16> draw(std::int64_t, std::uint64_t, double);

std::vector<std::int32_t> draw_words(std::int64_t n, std::int64_t limit, std::uint64_t seed) {
  std::vector<double> uniform(static_cast<std::size_t>(n));
  kernels::fill_uniform(Cpu{}, n, 0, 1, seed, 0, uniform.data());
  std::vector<std::int32_t> words;
  for (const double u : uniform)  // limit^u - 1 has a density in proportion to 1 / (w + 1)
    words.push_back(static_cast<std::int32_t>(
        std::min(std::pow(static_cast<double>(limit), u) - 1, static_cast<double>(limit - 1))));
  return words;
}

double relative_error(const std::vector<double>& got, const std::vector<double>& truth) {
  if (got.size() != truth.size()) return std::numeric_limits<double>::infinity();
  double difference = 0, norm = 0;
  for (std::size_t i = 0; i < truth.size(); ++i) {
    difference += (got[i] - truth[i]) * (got[i] - truth[i]);
    norm += truth[i] * truth[i];
  }
  if (!std::isfinite(difference)) return std::numeric_limits<double>::infinity();
  return difference == 0 ? 0 : std::sqrt(difference / norm);
}

std::shared_ptr<void> allocate(Cpu, std::size_t bytes) {
  constexpr std::size_t line = 64;
  void* const memory = std::aligned_alloc(line, (bytes + line - 1) / line * line + line);
  if (!memory) throw std::bad_alloc();
  kernels::fill(Cpu{}, static_cast<std::int64_t>(bytes / sizeof(float)), 0.0f, static_cast<float*>(memory));
  return {memory, std::free};
}

}  // namespace glimpse::bench
