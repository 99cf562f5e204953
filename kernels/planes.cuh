#pragma once
// Which pixel of which plane a thread works on. Part of the kernels for images.

#include "glimpse/kernels/device_helpers.cuh"

namespace glimpse::kernels {

struct Pixel {
  std::int64_t plane;
  int row, column;
};

/// Element i of an array (planes,h,w). In 32 bits where that is enough: a 64-bit division takes some 70 instructions.
__device__ __forceinline__ Pixel pixel_at(std::int64_t i, int h, int w) {
  if (i <= 0xffffffff) {
    const unsigned small = static_cast<unsigned>(i), line = small / static_cast<unsigned>(w);  // of all planes together
    const unsigned plane = line / static_cast<unsigned>(h);
    return {plane, static_cast<int>(line - plane * static_cast<unsigned>(h)),
            static_cast<int>(small - line * static_cast<unsigned>(w))};
  }
  const std::int64_t line = i / w, plane = line / h;
  return {plane, static_cast<int>(line - plane * h), static_cast<int>(i - line * w)};
}

/// Indices from `begin` to before `end`.
struct Span {
  int begin, end;
};

}  // namespace glimpse::kernels
