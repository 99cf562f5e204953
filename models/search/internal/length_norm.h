#pragma once
// What captions are ranked by, as the searches share it.

#include <cmath>
#include <cstdint>

#include "glimpse/models/search/beam.h"

namespace glimpse {

/// log p of so many words, divided by the length norm.
inline double normalised(double log_probability, std::int64_t length, double penalty, LengthNorm norm) {
  if (penalty == 0) return log_probability;
  const auto n = static_cast<double>(length);
  return log_probability / std::pow(norm == LengthNorm::gnmt ? (5 + n) / 6 : n, penalty);
}

}  // namespace glimpse
