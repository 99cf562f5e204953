// There is no cuDNN for the emulator: convolutions run by Glimpse's own kernels.

#include "glimpse/kernels/nvidia/no_cudnn.h"

namespace glimpse::kernels {

std::string cudnn_description() { return "no cuDNN: the device is emulated"; }

GLIMPSE_CUDNN_CONVOLUTIONS(float)
GLIMPSE_CUDNN_CONVOLUTIONS(double)

}  // namespace glimpse::kernels
