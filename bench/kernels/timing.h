#pragma once
// Times of short calls, on the CPU by the wall clock and on a GPU by events in its stream.

#include <functional>
#include <vector>

#include "glimpse/engine/dispatch.h"

namespace glimpse::bench {

/// Where calls run.
struct Place {
  bool cuda = false;
  void* stream = nullptr;
};

/// Microseconds of one call: the median of the samples, and what a tenth of them stays below and above.
struct Timing {
  double median = 0, low = 0, high = 0;
};

struct Sampling {
  int samples = 20;
  double least_ms = 1;  ///< a sample makes so many calls that it takes at least this long
};

/// call(i) is made for i = 0, 1, 2, ... in turn, some of them before the clock starts.
Timing time_calls(const Place& place, const Sampling& sampling, const std::function<void(int)>& call);

/// The same with the calls of a sample captured once as a CUDA graph and replayed: no time of the host in between.
/// False, and `timing` untouched, where graphs are not built in or the call cannot be captured.
bool time_replayed(const Place& place, const Sampling& sampling, const std::function<void(int)>& call, Timing& timing);

}  // namespace glimpse::bench
