#include "glimpse/kernels/image_normalize.h"

#include "glimpse/kernels/base/vectors.h"

namespace glimpse::kernels {

void image_normalize(Cpu, std::int64_t n, std::int64_t pixels, const Normalization& normalization,
                     const std::uint8_t* rgb, float* y) {
  float table[3][256];  // the division is done once for each value that there can be
  for (int c = 0; c < 3; ++c)
    for (int v = 0; v < 256; ++v) table[c][v] = normalization(v, c);
  vector_for(n, 1, [&](std::int64_t begin, std::int64_t end) {
    for (std::int64_t plane = 3 * begin; plane < 3 * end; ++plane) {
      const std::int64_t c = plane % 3;
      const std::uint8_t* from = rgb + (plane - c) * pixels + c;
      float* to = y + plane * pixels;
      for (std::int64_t i = 0; i < pixels; ++i) to[i] = table[c][from[3 * i]];
    }
  });
}

}  // namespace glimpse::kernels
