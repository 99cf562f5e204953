#pragma once
// Marks arithmetic that the CPU and the CUDA kernels share.

#ifdef __CUDACC__
#define GLIMPSE_HOST_DEVICE __host__ __device__
#else
#define GLIMPSE_HOST_DEVICE
#endif
