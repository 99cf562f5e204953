#include "timing.h"

#include <algorithm>
#include <chrono>
#include <cmath>

#include "glimpse/kernels/base/error.h"
#include "glimpse/kernels/cuda/runtime.h"
#include "graph.h"

namespace glimpse::bench {
namespace {

constexpr int most_calls = 2000;  // of a sample

/// Seconds that `work` takes, from its first launch to the end of its last on a GPU.
double seconds_of(const Place& place, const std::function<void()>& work) {
  if constexpr (cuda_built) {
    if (place.cuda) {
      cuda::Event begin, end;
      begin.record(place.stream);
      work();
      end.record(place.stream);
      end.wait();
      return static_cast<double>(end.since(begin)) * 1e-3;
    }
  }
  const auto begin = std::chrono::steady_clock::now();
  work();
  return std::chrono::duration<double>(std::chrono::steady_clock::now() - begin).count();
}

/// Calls that make a sample, from how long a few take.
int calls_of_sample(const Place& place, const Sampling& sampling, const std::function<void(int)>& call) {
  int calls = 1, number = 0;
  call(number++);
  for (;;) {
    const double ms = seconds_of(place,
                                 [&] {
                                   for (int i = 0; i < calls; ++i) call(number++);
                                 }) *
                      1e3;
    if (ms >= sampling.least_ms || calls == most_calls) return calls;
    const double wanted = std::ceil(calls * std::min(10.0, 1.2 * sampling.least_ms / std::max(ms, 1e-6)));
    calls = static_cast<int>(std::clamp(wanted, calls + 1.0, static_cast<double>(most_calls)));
  }
}

Timing summary(std::vector<double> us) {
  std::sort(us.begin(), us.end());
  const auto at = [&](double share) { return us[std::lround(share * static_cast<double>(us.size() - 1))]; };
  const std::size_t half = us.size() / 2;
  return {us.size() % 2 == 1 ? us[half] : (us[half - 1] + us[half]) / 2, at(0.1), at(0.9)};
}

}  // namespace

Timing time_calls(const Place& place, const Sampling& sampling, const std::function<void(int)>& call) {
  const int calls = calls_of_sample(place, sampling, call);
  std::vector<double> us;
  int number = 0;
  for (int sample = 0; sample < sampling.samples; ++sample) {
    const double seconds = seconds_of(place, [&] {
      for (int i = 0; i < calls; ++i) call(number++);
    });
    us.push_back(seconds * 1e6 / calls);
  }
  return summary(std::move(us));
}

bool time_replayed(const Place& place, const Sampling& sampling, const std::function<void(int)>& call, Timing& timing) {
  if (!place.cuda || !Graph::built()) return false;
  const int calls = calls_of_sample(place, sampling, call);
  try {
    Graph graph(place.stream, [&] {
      for (int i = 0; i < calls; ++i) call(i);
    });
    for (int i = 0; i < 3; ++i) graph.replay();
    std::vector<double> us;
    for (int sample = 0; sample < sampling.samples; ++sample)
      us.push_back(seconds_of(place, [&] { graph.replay(); }) * 1e6 / calls);
    timing = summary(std::move(us));
    return true;
  } catch (const Error&) {  // it waits for the device, which no graph can hold
    return false;
  }
}

}  // namespace glimpse::bench
