// The tests of convolutions in tests/cuda/, through kernels/nvidia/ and the cuDNN of fake_cudnn.cpp. In the
// environment: FAKE_CUDNN_TF32 asks for TF32, FAKE_CUDNN_BROKEN makes cuDNN refuse to start.
#include <cstdlib>

#include "catch.h"
#include "glimpse/kernels/base/precision.h"
#include "glimpse/kernels/nvidia/cudnn_convolution.h"
#include "nvidia/real_address.h"

using namespace glimpse;

TEST_CASE("cuDNN is used where it starts, and named") {
  const std::string text = kernels::cudnn_description();
  INFO(text);
  if (std::getenv("FAKE_CUDNN_BROKEN"))
    CHECK(text == "no cuDNN: libcudnn.so.9 does not start: FAKE_STATUS");
  else
    CHECK(text.starts_with("cuDNN 9."));
}

namespace {

[[maybe_unused]] const bool asked_for_tf32 = [] {
  if (!std::getenv("FAKE_CUDNN_TF32")) return false;
  kernels::set_matmul_precision(kernels::MatmulPrecision::tf32);
  return true;
}();

}  // namespace
