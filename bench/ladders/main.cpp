// ladder_NAME           times each rung on the GPU
// ladder_NAME --check   only proves them, at small sizes
#include <cstdio>
#include <cstring>
#include <exception>

#include "ladder.h"

namespace glimpse::bench {
namespace {

constexpr double largest_error = 1e-5;  // relative, in the L2 norm, of f32

/// Whether a rung computes what it should; says so where it does not.
bool right(const Ladder& ladder, const Rung& rung) {
  ladder.spoil();
  rung.run(0);
  const double error = ladder.error();
  if (error <= largest_error) return true;
  std::printf("%s: WRONG: relative error %.2g\n", rung.name.c_str(), error);
  return false;
}

bool check_all(Cuda device) {
  const Ladder ladder = make_ladder(device, true, Rotation{});
  bool good = true;
  for (const Rung& rung : ladder.rungs) {
    if (right(ladder, rung))
      std::printf("%s: right\n", rung.name.c_str());
    else
      good = false;
  }
  return good;
}

bool time_all(const Place& place) {
  const Sampling sampling;
  const Roofline roofline = measure_roofline(place, sampling, false);
  const Ladder ladder = make_ladder(Cuda{place.stream}, false, Rotation{4 * last_cache(place)});
  const double least = roofline.least_us(ladder.cost);
  std::printf("%s on %s\ncopy %.0f GB/s: at least %.1f us for %.1f MB\n\n", ladder.title.c_str(),
              device_name(place).c_str(), roofline.copy * 1e-9, least, ladder.cost.bytes * 1e-6);
  bool good = true;
  double before = 0;
  for (const Rung& rung : ladder.rungs) {
    if (!right(ladder, rung)) {
      good = false;
      continue;
    }
    const auto call = [&](int i) { rung.run(i % ladder.sets); };
    Timing timing = time_calls(place, sampling, call), replayed;
    if (time_replayed(place, sampling, call, replayed) && replayed.median < timing.median) timing = replayed;
    std::printf("%-22s %9.1f us  %3.0f%% of the roofline", rung.name.c_str(), timing.median,
                100 * least / timing.median);
    if (before > 0) std::printf("  %5.2f times the rung before", before / timing.median);
    std::printf("\n    %s\n", rung.change.c_str());
    before = timing.median;
  }
  return good;
}

}  // namespace
}  // namespace glimpse::bench

int main(int argc, char** argv) {
  using namespace glimpse;
  const bool check = argc == 2 && std::strcmp(argv[1], "--check") == 0;
  if (argc > 1 && !check) {
    std::fprintf(stderr, "usage: %s [--check]\n", argv[0]);
    return 2;
  }
  try {
    if (!cuda::available()) {
      std::fprintf(stderr, "%s: a ladder needs a GPU: %s\n", argv[0], cuda::why_unavailable().c_str());
      return 1;
    }
    const cuda::Stream stream;
    const bool good = check ? bench::check_all({stream.get()}) : bench::time_all({true, stream.get()});
    return good ? 0 : 1;
  } catch (const std::exception& error) {
    std::fprintf(stderr, "%s: %s\n", argv[0], error.what());
    return 1;
  }
}
