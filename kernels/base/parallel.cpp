#include "glimpse/kernels/base/parallel.h"

#include <exception>
#include <vector>

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

void parallel_for_each(std::int64_t count, const std::function<void(std::int64_t)>& work) {
  std::vector<std::exception_ptr> errors(static_cast<std::size_t>(count));
  parallel_for(count, 1, [&](std::int64_t begin, std::int64_t end) {
    for (std::int64_t i = begin; i < end; ++i) {
      try {
        work(i);
      } catch (...) {
        errors[static_cast<std::size_t>(i)] = std::current_exception();
      }
    }
  });
  for (const std::exception_ptr& error : errors)
    if (error) std::rethrow_exception(error);
}

}  // namespace glimpse::kernels
