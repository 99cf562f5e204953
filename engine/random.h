#pragma once
// Counter-based random numbers: Philox4x32-10 (Salmon et al., "Parallel random numbers: as easy as 1, 2, 3", SC 2011).
// Number i of a stream depends on (seed, position, i) alone, so that every device and thread count draws the same bits.

#include <cstdint>

#include "glimpse/engine/tensor.h"

namespace glimpse {

/// A stream of random numbers. Its whole state is two integers, saved in checkpoints.
class Generator {
 public:
  struct State {
    std::uint64_t seed = 1;
    std::uint64_t position = 0;  ///< in blocks of four 32-bit numbers
  };

  explicit Generator(std::uint64_t seed = 1) : state_{seed, 0} {}
  explicit Generator(State state) : state_(state) {}

  State state() const { return state_; }
  void set_state(State state) { state_ = state; }

  /// The same stream, of which fill_uniform and fill_normal set numbers aside and write none: for tensors whose values
  /// are loaded afterwards, which is much faster.
  Generator undrawn() const {
    Generator result = *this;
    result.draws_ = false;
    return result;
  }
  bool draws() const { return draws_; }

  /// Sets `numbers` 32-bit numbers aside for a kernel, and returns where they begin.
  State reserve(std::int64_t numbers);
  /// Uniform in [0, 2^32).
  std::uint32_t next();
  /// Uniform in [0, 1).
  double uniform();
  /// Uniform in [0, n), without modulo bias. Throws Error for n = 0.
  std::uint64_t below(std::uint64_t n);
  /// From N(0,1).
  double normal();

 private:
  State state_;
  bool draws_ = true;
};

/// The generator that layers draw from when none is given; starts with seed 1.
Generator& default_generator();

/// Overwrites x (f32 or f64) with uniform numbers in [low, high). Both types get the same numbers, rounded.
void fill_uniform(const Tensor& x, double low, double high, Generator& generator);
/// Overwrites x (f32 or f64) with numbers from N(mean, std^2) (Box-Muller).
void fill_normal(const Tensor& x, double mean, double std, Generator& generator);

}  // namespace glimpse
