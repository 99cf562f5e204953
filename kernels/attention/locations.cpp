#include "glimpse/kernels/attention/locations.h"

#include <algorithm>

#include "glimpse/kernels/base/vectors.h"

namespace glimpse::kernels {
namespace {

std::int64_t grain(std::int64_t columns) { return 1 + 8192 / (columns + 1); }

/// body(q) for the queries that have a location.
template <class Body>
void for_located(std::int64_t queries, std::int64_t columns, const std::int32_t* location, Body body) {
  vector_for(queries, grain(columns), [=](std::int64_t begin, std::int64_t end) {
    for (std::int64_t q = begin; q < end; ++q)
      if (location[q] >= 0) body(q);
  });
}

}  // namespace

template <class T>
void sample_locations(Cpu, std::int64_t queries, std::int64_t locations, const T* alpha, const T* uniform,
                      std::int32_t* location) {
  vector_for(queries, grain(locations), [=](std::int64_t begin, std::int64_t end) {
    for (std::int64_t q = begin; q < end; ++q) {
      location[q] = -1;
      if (uniform[q] < T(0)) continue;
      const T* row = alpha + q * locations;
      double total = 0, sum = 0;
      for (std::int64_t l = 0; l < locations; ++l) total += static_cast<double>(row[l]);
      const double target = static_cast<double>(uniform[q]) * total;
      for (std::int64_t l = 0; l < locations && sum <= target; ++l) {
        sum += static_cast<double>(row[l]);
        if (row[l] > T(0)) location[q] = static_cast<std::int32_t>(l);
      }
    }
  });
}

template <class T>
void read_locations(Cpu, std::int64_t queries, std::int64_t locations, std::int64_t channels, const T* features,
                    const std::int32_t* image, const std::int32_t* location, T* context) {
  for_located(queries, channels, location, [=](std::int64_t q) {
    std::copy_n(features + (image[q] * locations + location[q]) * channels, channels, context + q * channels);
  });
}

template <class T>
void mark_locations(Cpu, std::int64_t queries, std::int64_t n, const std::int32_t* location, T value, T* x) {
  for_located(queries, n, location, [=](std::int64_t q) {
    std::fill_n(x + q * n, n, T(0));
    if (location[q] < n) x[q * n + location[q]] = value;
  });
}

GLIMPSE_LOCATION_KERNELS(Cpu, float)
GLIMPSE_LOCATION_KERNELS(Cpu, double)

}  // namespace glimpse::kernels
