#include "glimpse/kernels/base/parallel.h"

#ifdef _OPENMP
#include <omp.h>
#endif

namespace glimpse::kernels {

#ifdef _OPENMP

int threads() { return omp_get_max_threads(); }

void set_threads(int count) { omp_set_num_threads(count); }

void run_parts(std::int64_t parts, void (*part)(const void*, std::int64_t), const void* context) {
#pragma omp parallel for num_threads(static_cast <int>(parts)) schedule(static, 1)
  for (std::int64_t p = 0; p < parts; ++p) part(context, p);
}

#else

int threads() { return 1; }

void set_threads(int) {}

void run_parts(std::int64_t parts, void (*part)(const void*, std::int64_t), const void* context) {
  for (std::int64_t p = 0; p < parts; ++p) part(context, p);
}

#endif

}  // namespace glimpse::kernels
