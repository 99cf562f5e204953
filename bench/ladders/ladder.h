#pragma once
// A ladder: one computation from the naive kernel to the one that Glimpse ships, a step at a time. Each NAME.cu defines
// make_ladder; main.cpp checks every rung against the CPU kernel in double, and times it.

#include "../kernels/roofline.h"

namespace glimpse::bench {

struct Rung {
  std::string name;
  std::string change;  ///< what is different from the rung before, and why
  std::function<void(int set)> run;
};

struct Ladder {
  std::string title;  ///< what is computed, and the sizes
  Cost cost;          ///< the least that it takes
  int sets = 1;
  std::function<void()> spoil;    ///< makes the results of set 0 NaN, so that nothing is taken over from a rung before
  std::function<double()> error;  ///< of set 0, as in Subject
  std::vector<Rung> rungs;
};

/// `small` asks for sizes that only prove the rungs.
Ladder make_ladder(Cuda device, bool small, const Rotation& rotation);

/// NaN all over copy 0.
template <class T>
void spoil(Cuda device, const Buffers<Cuda, T>& buffers, std::int64_t n) {
  cuda::fill_bytes(buffers[0], 0xff, static_cast<std::size_t>(n) * sizeof(T), device.stream);
}

}  // namespace glimpse::bench
