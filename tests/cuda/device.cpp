// test_gpu is skipped on a machine without a GPU.
#include "glimpse/kernels/cuda/runtime.h"
#include "main.h"

namespace glimpse::test {
namespace {

[[maybe_unused]] const bool asked = [] {
  reason_to_skip = [] { return cuda::available() ? std::string() : cuda::why_unavailable(); };
  return true;
}();

}  // namespace
}  // namespace glimpse::test
