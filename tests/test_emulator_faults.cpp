// The faults that the emulator must find: shared memory read before it is written or written outside of its bounds,
// barriers that not all threads reach, barriers that were forgotten, and memory of the host on the device or the
// device's on the host.

#include <unistd.h>

#include <cerrno>
#include <cmath>
#include <memory>

#include "emulator_test.h"
#include "glimpse/tests/emulator/forbidden.h"

using namespace glimpse;
using namespace glimpse::kernels;
using namespace glimpse::test;

TEST_CASE("shared memory holds NaN in every type before it is written, in every block anew") {
  int poisoned = 0;
  const auto body = [&] {
    SHARED(float, f, [64]);
    SHARED(double, d);
    SHARED(std::uint16_t, h, [3]);
    DYNAMIC_SHARED(int, n);
    poisoned += std::isnan(f[threadIdx.x]) && std::isnan(d) && n[threadIdx.x] > 1 << 30;
    bf16 b;
    b.bits = h[1];
    f16 g;
    g.bits = h[2];
    poisoned += std::isnan(static_cast<float>(b)) && std::isnan(static_cast<float>(g));
    __syncthreads();
    f[threadIdx.x] = 1;
    d = 2;
    h[1] = h[2] = 0;
    n[threadIdx.x] = 0;
  };
  for (int repetition = 0; repetition < 2; ++repetition) run(4, 64, body, 256);
  CHECK(poisoned == 2 * 2 * 4 * 64);
}

namespace {

/// AddressSanitizer, where it is compiled in, would end the program here.
GLIMPSE_LOOKS_AT_FORBIDDEN void write_zero(float* p) { *p = 0; }

}  // namespace

TEST_CASE("a write just outside of a shared variable is reported by its name") {
  contains(failure(32,
                   [] {
                     SHARED(float, tile, [32]);
                     write_zero(&tile[0] + threadIdx.x + 1);
                   }),
           "'tile'");
  contains(failure(
               32,
               [] {
                 DYNAMIC_SHARED(float, p);
                 write_zero(p + threadIdx.x + 1);
               },
               128),
           "'dynamic shared memory'");
}

TEST_CASE("more SHARED variables than a block has memory for are an error") {
  contains(failure(32,
                   [] {
                     SHARED(float, a, [8000]);
                     SHARED(float, b, [8000]);
                     a[0] = b[0] = 0;
                   }),
           "64000 bytes of SHARED variables beside 0");
}

TEST_CASE("a barrier that one thread does not reach is reported") {
  contains(failure(64,
                   [] {
                     if (threadIdx.x == 5) return;
                     __syncthreads();
                   }),
           "thread (5,0,0) has exited");
  contains(failure(64,
                   [] {
                     if (threadIdx.x < 32)
                       __syncthreads();
                     else
                       __syncthreads();
                   }),
           "waits at __syncthreads (test_emulator_faults.cpp:");
  contains(failure(64,
                   [] {
                     if (threadIdx.x < 32) __syncthreads();
                     __syncwarp();
                     __syncthreads();
                   }),
           "test_kernel (7): block (0,0,0), thread (");
}

TEST_CASE("threads that wait for each other in a warp are reported") {
  contains(failure(32,
                   [] {
                     if (lane_index() < 16)
                       __syncwarp();
                     else
                       __shfl_sync(all_lanes, 1, 0);
                   }),
           "wait for each other");
  contains(failure(32,
                   [] {
                     if (lane_index() < 16) __syncwarp(0x0000ffffu | 1u << 20);
                     __syncthreads();
                   }),
           "wait for each other");
  contains(failure(32, [] { __syncwarp(2); }), "does not name it");
  contains(failure(32, [] { __shfl_sync(all_lanes, 1, 0, 12); }), "width 12");
  contains(failure(32,
                   [] {
                     if (lane_index() == 31) return;
                     warp_sum(1.0f);
                   }),
           "has exited, but __shfl_xor_sync with mask 0xffffffff");
}

TEST_CASE("early exits, as compute capability 7 documents them, where they are allowed") {
  WithOptions options({.seed = 3, .allow_early_exit = true});
  int sum = 0, after = 0;
  run(1, 96, [&] {
    SHARED(int, total);
    if (threadIdx.x == 40) total = 0;
    if (threadIdx.x % 3 == 0) return;
    __syncthreads();
    atomicAdd(&total, 1);
    __syncthreads();
    if (threadIdx.x == 1) sum = total;
    if (threadIdx.x >= 32) return;
    const unsigned vote = __ballot_sync(all_lanes, 1);
    if (threadIdx.x == 1) after = __popc(vote);
  });
  CHECK(sum == 64);
  CHECK(after == 21);  // lanes 0, 3, ..., 30 are gone
}

TEST_CASE("an exception of a kernel ends the launch") {
  CHECK_THROWS_WITH(run(3, 64,
                        [] {
                          if (threadIdx.x == 33) throw Error("thrown in a kernel");
                          __syncthreads();
                        }),
                    "thrown in a kernel");
  int count = 0;
  run(1, 64, [&] { ++count; });  // and leaves nothing behind
  CHECK(count == 64);
}

TEST_CASE("a forgotten barrier gives wrong results") {
  int wrong = 0;
  for (const std::uint64_t seed : {1, 2, 3}) {
    WithOptions options({.seed = seed});
    run(1, 128, [&] {
      SHARED(float, x, [128]);
      x[threadIdx.x] = 1;
      const float other = x[127 - threadIdx.x];
      __syncthreads();
      wrong += !(other == 1);
    });
  }
  CHECK(wrong > 50);
}

TEST_CASE("a barrier forgotten between a read and the next write gives wrong results") {
  int wrong = 0;
  for (const std::uint64_t seed : {1, 2, 3}) {
    WithOptions options({.seed = seed});
    run(1, 128, [&] {
      SHARED(int, x, [4]);
      for (int round = 0; round < 4; ++round) {
        if (lane_index() == 0) x[warp_index()] = round;
        __syncthreads();
        const int sum = warp_sum(lane_index() < 4 ? x[lane_index()] : 0);
        wrong += sum != 4 * round;
      }
    });
  }
  CHECK(wrong > 0);
}

namespace {

/// A kernel's argument with addresses in it, beside a number that is none.
struct Arrays {
  double number;
  const float* from;
  int n;
  float* to;
};

__global__ void copy_kernel(Arrays a) {
  if (static_cast<int>(threadIdx.x) < a.n) a.to[threadIdx.x] = a.from[threadIdx.x];
}

std::string copied(const float* from, float* to) {
  try {
    kernels::launch(kernels::Cuda{}, {"copy", {2}, 1, 32}, copy_kernel, Arrays{1e300, from, 2, to});
  } catch (const Error& e) {
    return e.what();
  }
  return "no error";
}

}  // namespace

TEST_CASE("a kernel that is given memory of the host is reported") {
  cuda::Scratch<float> device(4, nullptr, "a test");
  const float numbers[2] = {5, 6};
  float on_stack[2], *const on_heap = new float[2];
  std::unique_ptr<float[]> owner(on_heap);
  cuda::copy_to_device(device.data(), numbers, sizeof numbers, nullptr);
  CHECK(copied(device.data(), device.data() + 2) == "no error");
  cuda::copy_to_host(on_stack, device.data() + 2, sizeof on_stack, nullptr);
  CHECK(on_stack[1] == 6);
  contains(copied(on_stack, device.data()), "copy (2): byte 8 of argument 1 is the address");
  contains(copied(device.data(), on_heap), "copy (2): byte 24 of argument 1 is the address");
  contains(copied(numbers, device.data()), "of the host, which a device cannot read");
  WithOptions options({.any_memory = true});
  CHECK(copied(device.data(), on_heap) == "no error");
  CHECK(on_heap[0] == 5);
}

TEST_CASE("the host cannot read memory of the device, and copies know their direction") {
  cuda::Scratch<float> device(4, nullptr, "a test");
  int ends[2];
  REQUIRE(pipe(ends) == 0);
  CHECK(write(ends[1], device.data(), 1) == -1);  // the system looks where a program would crash
  CHECK(errno == EFAULT);
  close(ends[0]);
  close(ends[1]);
  float x = 0;
  CHECK_THROWS_AS(cuda::copy_to_device(&x, &x, 4, nullptr), Error);
  CHECK_THROWS_AS(cuda::copy_to_device(device.data(), device.data(), 4, nullptr), Error);
  CHECK_THROWS_AS(cuda::copy_to_host(&x, &x, 4, nullptr), Error);
  CHECK_THROWS_AS(cuda::copy_on_device(device.data(), &x, 4, nullptr), Error);
  CHECK_THROWS_AS(cuda::fill_bytes(&x, 0, 4, nullptr), Error);
}
