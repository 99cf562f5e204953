#include "glimpse/engine/dispatch.h"

#include "glimpse/kernels/base/check.h"
#include "glimpse/kernels/cuda/runtime.h"

namespace glimpse::detail {

void no_cuda() { fail("cuda: this build has no CUDA backend; configure with -DGLIMPSE_CUDA=ON, or use --device cpu"); }

void cpu_only(const char* op) { fail("{}: there is no kernel for CUDA; move its inputs to the CPU first", op); }

void bad_dtype(DType dtype) { fail("dtype {} is for storage only; convert to f32 or f64 first", name_of(dtype)); }

void* current_stream() {
  if constexpr (cuda_built) {
    // Never destroyed: memory is given back in its order until the process ends.
    static const cuda::Stream* const stream = new cuda::Stream;
    return stream->get();
  } else {
    no_cuda();
  }
}

}  // namespace glimpse::detail
