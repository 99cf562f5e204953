// The emulator against what the CUDA C++ Programming Guide documents: built-in variables, barriers, shuffles of all
// widths and masks, votes, atomics and threads.

#include <algorithm>
#include <bit>
#include <cmath>
#include <vector>

#include "emulator_test.h"

using namespace glimpse;
using namespace glimpse::kernels;
using namespace glimpse::test;

namespace {

/// What a shuffle must return, from the guide's table: the source lane, or the caller's own.
int shuffle_source(int kind, int lane, int argument, int width) {
  const int group = lane / width * width;
  switch (kind) {
    case 0:
      return group + (argument % width + width) % width;
    case 1:
      return lane - argument < group ? lane : lane - argument;
    case 2:
      return lane + argument >= group + width ? lane : lane + argument;
    default:
      return (lane ^ argument) >= group + width ? lane : lane ^ argument;
  }
}

}  // namespace

TEST_CASE("every thread of a grid runs once and knows its place") {
  for (const std::uint64_t seed : {1, 2, 3}) {
    WithOptions options({.seed = seed});
    const dim3 grid(3, 2, 2), block(5, 4, 3);
    std::vector<int> visits(3 * 2 * 2 * 5 * 4 * 3, 0);
    run(grid, block, [&] {
      CHECK((gridDim.x == 3 && gridDim.y == 2 && gridDim.z == 2 && blockDim.x == 5 && blockDim.y == 4 &&
             blockDim.z == 3));
      const unsigned b = (blockIdx.z * gridDim.y + blockIdx.y) * gridDim.x + blockIdx.x;
      const unsigned t = (threadIdx.z * blockDim.y + threadIdx.y) * blockDim.x + threadIdx.x;
      ++visits[b * 60 + t];
    });
    CHECK(std::all_of(visits.begin(), visits.end(), [](int n) { return n == 1; }));
  }
}

TEST_CASE("blocks of up to 1024 threads, and no shape that CUDA refuses") {
  int count = 0;
  run(2, 1024, [&] { ++count; });
  CHECK(count == 2048);
  CHECK_THROWS_AS(run(0, 32, [] {}), Error);
  CHECK_THROWS_AS(run(1, 1025, [] {}), Error);
  CHECK_THROWS_AS(run(1, dim3(1, 1, 65), [] {}), Error);
  CHECK_THROWS_AS(run(dim3(1, 65536), 1, [] {}), Error);
  CHECK_THROWS_AS(run(
                      1, 32, [] {}, 228 << 10),
                  Error);
}

TEST_CASE("the order of threads depends on the seed alone") {
  const auto order = [](std::uint64_t seed) {
    WithOptions options({.seed = seed});
    std::vector<unsigned> result;
    run(2, 64, [&] {
      result.push_back(threadIdx.x);
      __syncthreads();
      result.push_back(threadIdx.x);
    });
    return result;
  };
  CHECK(order(1) == order(1));
  CHECK(order(1) != order(2));
  std::vector<unsigned> counting(64);
  for (unsigned i = 0; i < 64; ++i) counting[i] = i;
  const std::vector<unsigned> all = order(1);
  CHECK(std::vector<unsigned>(all.begin(), all.begin() + 64) != counting);
}

TEST_CASE("__syncthreads orders shared memory, for any number of threads") {
  for (const unsigned threads : {1u, 31u, 32u, 33u, 256u, 1000u, 1024u}) {
    for (const std::uint64_t seed : {1, 2}) {
      WithOptions options({.seed = seed});
      std::vector<unsigned> out(threads);
      run(
          1, threads,
          [&] {
            DYNAMIC_SHARED(unsigned, values);
            unsigned x = threadIdx.x;
            for (int round = 0; round < 4; ++round) {
              values[threadIdx.x] = x;
              __syncthreads();
              x = values[(threadIdx.x + 1) % blockDim.x] + 1;
              __syncthreads();
            }
            out[threadIdx.x] = x;
          },
          threads * sizeof(unsigned));
      for (unsigned t = 0; t < threads; ++t) REQUIRE(out[t] == (t + 4) % threads + 4);
    }
  }
}

TEST_CASE("__syncthreads_count, _and, _or give every thread the block's answer") {
  run(1, 96, [&] {
    const int t = static_cast<int>(threadIdx.x);
    const bool right = __syncthreads_count(t % 3 == 0) == 32 && __syncthreads_count(5 * (t < 7)) == 7 &&
                       __syncthreads_and(t < 96) == 1 && __syncthreads_and(t < 95) == 0 &&
                       __syncthreads_or(t == 95) == 1 && __syncthreads_or(t == 96) == 0;
    CHECK(right);
  });
}

TEST_CASE("shuffles of all widths and distances, full mask") {
  for (int width = 1; width <= 32; width *= 2) {
    for (int argument = 0; argument < 32; ++argument) {
      int wrong = 0;
      run(1, 64, [&] {
        const int lane = lane_index(), mine = 1000 * warp_index() + 10 * lane;
        const int base = 1000 * warp_index();
        const int got[] = {__shfl_sync(all_lanes, mine, argument, width),
                           __shfl_up_sync(all_lanes, mine, static_cast<unsigned>(argument), width),
                           __shfl_down_sync(all_lanes, mine, static_cast<unsigned>(argument), width),
                           __shfl_xor_sync(all_lanes, mine, argument, width)};
        for (int kind = 0; kind < 4; ++kind)
          wrong += got[kind] != base + 10 * shuffle_source(kind, lane, argument, width);
      });
      INFO("width " << width << ", argument " << argument);
      REQUIRE(wrong == 0);
    }
  }
}

TEST_CASE("a shuffle's source lane may differ from lane to lane, and is taken modulo the width") {
  int wrong = 0;
  run(1, 32, [&] {
    const int lane = lane_index();
    wrong += __shfl_sync(all_lanes, lane, 31 - lane) != 31 - lane;
    wrong += __shfl_sync(all_lanes, lane, lane + 32) != lane;
    wrong += __shfl_sync(all_lanes, lane, -1) != 31;
    wrong += __shfl_sync(all_lanes, lane, 9, 8) != lane / 8 * 8 + 1;
  });
  CHECK(wrong == 0);
}

TEST_CASE("shuffles carry all types of up to eight bytes, bit for bit") {
  int wrong = 0;
  run(1, 32, [&] {
    const int lane = lane_index(), other = lane ^ 1;
    const auto next = [](auto x) { return __shfl_xor_sync(all_lanes, x, 1); };
    wrong += next(0.1f * static_cast<float>(lane)) != 0.1f * static_cast<float>(other);
    wrong += next(0.1 * lane) != 0.1 * other;
    wrong += next(-1ll * lane << 40) != -1ll * other << 40;
    wrong += next(static_cast<unsigned>(lane) + 0x80000000u) != static_cast<unsigned>(other) + 0x80000000u;
    wrong += next(bf16(static_cast<float>(lane))).bits != bf16(static_cast<float>(other)).bits;
    wrong += next(static_cast<unsigned char>(lane)) != other;
  });
  CHECK(wrong == 0);
}

TEST_CASE("groups of lanes with masks of their own work beside each other") {
  for (const std::uint64_t seed : {1, 2, 3, 4}) {
    WithOptions options({.seed = seed});
    for (const std::uint32_t mask : {0x0000ffffu, 0x55555555u, 0x80000001u, 0x00000001u, 0x7fffffffu}) {
      int wrong = 0;
      run(1, 32, [&] {
        const int lane = lane_index();
        const bool in = mask >> lane & 1;
        const std::uint32_t group = in ? mask : ~mask;
        if (in) {  // one group does more than the other, before and after
          int sum = lane;
          for (int i = 0; i < 3; ++i) sum += __shfl_sync(mask, lane, std::countr_zero(mask));
          wrong += sum != lane + 3 * std::countr_zero(mask);
        }
        wrong += __ballot_sync(group, lane % 3 == 0) != (group & 0x49249249u);
        wrong += __any_sync(group, lane == 0) != static_cast<int>(group & 1);
        wrong += __all_sync(group, lane != 0) != static_cast<int>(~group & 1);
        __syncwarp(group);
        __syncwarp();
      });
      INFO("mask " << mask);
      CHECK(wrong == 0);
    }
  }
}

TEST_CASE("what a shuffle takes from a lane that does not take part is poison") {
  int poisoned = 0, own = 0;
  run(1, 32, [&] {
    if (lane_index() >= 16) return;
    poisoned += std::isnan(__shfl_xor_sync(0x0000ffffu, 1.0f, 16));
    own += __shfl_down_sync(0x0000ffffu, lane_index(), 1, 16) == std::min(lane_index() + 1, 15);
  });
  CHECK(poisoned == 16);
  CHECK(own == 16);
  bool partial_warp = false;
  run(1, 20, [&] {
    const float x = __shfl_xor_sync(all_lanes, 1.0f, 16);
    if (threadIdx.x == 10) partial_warp = std::isnan(x);  // lane 26 does not exist
  });
  CHECK(partial_warp);
}

TEST_CASE("atomics return what was there and lose nothing") {
  int i = 5, lowest = 100, highest = -100, swapped = -1;
  unsigned u = 0, bits = 0, turns = 0;
  unsigned long long l = 0;
  float f = 0;
  double d = 0;
  std::vector<int> seen(640, 0);
  run(10, 64, [&] {
    const int t = static_cast<int>(blockIdx.x * blockDim.x + threadIdx.x);
    ++seen[atomicAdd(&i, 1) - 5];
    atomicAdd(&u, 2u);
    atomicAdd(&l, 1ull << 33);
    atomicAdd(&f, 0.5f);
    atomicAdd(&d, 0.25);
    atomicMin(&lowest, t - 50);
    atomicMax(&highest, t - 50);
    atomicOr(&bits, 1u << (t % 32));
    atomicInc(&turns, 99);
    if (atomicCAS(&swapped, -1, t) == -1) atomicExch(&swapped, 1000 + t);
  });
  CHECK(i == 645);
  CHECK(u == 1280);
  CHECK(l == 640ull << 33);
  CHECK(f == 320.0f);
  CHECK(d == 160.0);
  CHECK(lowest == -50);
  CHECK(highest == 589);
  CHECK(bits == 0xffffffffu);
  CHECK(turns == 40);
  CHECK(swapped >= 1000);
  CHECK(std::all_of(seen.begin(), seen.end(), [](int n) { return n == 1; }));
}

TEST_CASE("bit intrinsics") {
  CHECK(__popc(0xf0f0u) == 8);
  CHECK(__clz(1) == 31);
  CHECK(__ffs(0) == 0);
  CHECK(__ffs(8) == 4);
  CHECK(__umulhi(0x80000000u, 6) == 3);
  CHECK(__float_as_int(1.0f) == 0x3f800000);
  CHECK(__int_as_float(0x40000000) == 2.0f);
}

TEST_CASE("operating system threads give the same results as fibers") {
  WithOptions options({.system_threads = true});
  for (const unsigned threads : {32u, 33u, 96u}) {
    std::vector<int> out(threads, 0);
    run(2, threads, [&] {
      SHARED(int, x, [96]);
      x[threadIdx.x] = static_cast<int>(threadIdx.x);
      __syncthreads();
      int sum = 0;
      for (unsigned t = 0; t < blockDim.x; ++t) sum += x[t];
      const int votes = __popc(__ballot_sync(__shfl_sync(__ballot_sync(all_lanes, 1), ~0u, 0), 1));
      __syncthreads();
      out[threadIdx.x] = sum + 1000 * votes;
    });
    for (unsigned t = 0; t < threads; ++t) {
      const int lanes = static_cast<int>(std::min(32u, threads - t / 32 * 32));
      REQUIRE(out[t] == static_cast<int>(threads * (threads - 1) / 2) + 1000 * lanes);
    }
  }
  contains(failure(64,
                   [] {
                     if (threadIdx.x == 5) return;
                     __syncthreads();
                   }),
           "thread (5,0,0) has exited");
  contains(failure(32,
                   [] {
                     if (lane_index() < 16)
                       __syncwarp();
                     else
                       __shfl_sync(all_lanes, 1, 0);
                   }),
           "wait for each other");
}

TEST_CASE("the shared helpers: sums and maxima of warps and blocks, strides, packs") {
  for (const unsigned threads : {32u, 64u, 256u, 1024u}) {
    int wrong = 0;
    run(1, threads, [&] {
      const int t = static_cast<int>(threadIdx.x), n = static_cast<int>(blockDim.x), lane = t % 32;
      wrong += warp_sum(lane) != 496;
      wrong += warp_sum<8>(lane) != 8 * (lane / 8 * 8) + 28;
      wrong += warp_max(static_cast<float>((lane * 7) % 32)) != 31.0f;
      for (int repetition = 0; repetition < 3; ++repetition) {
        wrong += block_sum(t + repetition) != n * (n - 1) / 2 + n * repetition;
        wrong += block_max(-static_cast<float>(std::abs(t - n / 2))) != 0.0f;
        wrong += block_sum(t) + block_sum(1) != n * (n - 1) / 2 + n;  // one right after the other
      }
    });
    CHECK(wrong == 0);
  }
  std::vector<int> visits(1000, 0);
  run(3, 64, [&] {
    for (const std::int64_t i : grid_stride(1000)) ++visits[i];
  });
  CHECK(std::all_of(visits.begin(), visits.end(), [](int n) { return n == 1; }));
  alignas(16) float data[8] = {0, 1, 2, 3, 4, 5, 6, 7};
  CHECK(load<4>(data + 4).v[1] == 5);
  CHECK(in_packs<4>({{data, 8}}));
  CHECK(!in_packs<4>({{data, 6}}));
  CHECK(!in_packs<4>({{data + 1, 8}}));
}

TEST_CASE("a pack at an address that is no multiple of its size is an error, as on a GPU") {
  alignas(16) float data[8] = {};
  const auto message = [&](int first, bool writes) {
    return failure(1, [&, first, writes] {
      if (writes)
        store(data + first, Pack<float, 4>{});
      else
        load<4>(data + first);
    });
  };
  for (const bool writes : {false, true}) {
    contains(message(4, writes), "no error");
    contains(message(2, writes), "16 bytes at once at");
  }
}
