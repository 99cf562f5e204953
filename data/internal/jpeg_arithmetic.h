#pragma once
// The arithmetic of a JPEG decoder, to the bit as libjpeg does it. Decoders may differ in the last bits, and stb_image
// does by up to 3 of 255; a deep network makes 1.5 % of its features out of that. With these three functions in place
// of its own, stb_image gives the pixels that PyTorch users train on.

#include <algorithm>
#include <cstdint>

namespace glimpse::jpeg {

inline std::uint8_t clamp_to_byte(int value) { return static_cast<std::uint8_t>(std::clamp(value, 0, 255)); }

/// One-dimensional inverse DCT of 8 numbers (Loeffler, Ligtenberg & Moschytz, ICASSP 1989), in fixed point with 13
/// bits; the result is divided by 2^shift, rounded.
inline void inverse_dct_8(const int* x, int step, int shift, int* y) {
  const std::int64_t x0 = x[0], x1 = x[step], x2 = x[2 * step], x3 = x[3 * step];
  const std::int64_t x4 = x[4 * step], x5 = x[5 * step], x6 = x[6 * step], x7 = x[7 * step];
  const std::int64_t turn = (x2 + x6) * 4433;  // 0.541196100 * 2^13, and so on
  const std::int64_t low = turn + x2 * 6270, high = turn - x6 * 15137;
  const std::int64_t sum = (x0 + x4) * 8192, difference = (x0 - x4) * 8192;
  const std::int64_t even[4] = {sum + low, difference + high, difference - high, sum - low};
  const std::int64_t all = (x1 + x3 + x5 + x7) * 9633;
  const std::int64_t a = (x1 + x7) * -7373, b = (x3 + x5) * -20995;
  const std::int64_t c = all - (x3 + x7) * 16069, d = all - (x1 + x5) * 3196;
  const std::int64_t odd[4] = {x1 * 12299 + a + d, x3 * 25172 + b + c, x5 * 16819 + b + d, x7 * 2446 + a + c};
  const std::int64_t half = std::int64_t{1} << (shift - 1);
  for (int i = 0; i < 4; ++i) {
    y[i * step] = static_cast<int>((even[i] + odd[i] + half) >> shift);
    y[(7 - i) * step] = static_cast<int>((even[i] - odd[i] + half) >> shift);
  }
}

/// 64 coefficients -> 8 rows of 8 samples, `stride` apart.
inline void inverse_dct(std::uint8_t* out, int stride, short* coefficients) {
  int block[64], columns[64];
  std::copy_n(coefficients, 64, block);
  for (int i = 0; i < 8; ++i) inverse_dct_8(block + i, 8, 11, columns + i);  // keeps two more bits between the passes
  for (int i = 0; i < 8; ++i) {
    inverse_dct_8(columns + 8 * i, 1, 18, block);
    for (int j = 0; j < 8; ++j) out[i * stride + j] = clamp_to_byte(block[j] + 128);
  }
}

/// A row of pixels, `step` bytes apart (3, or 4 with alpha 255), from luma and chroma: JFIF's matrix with 16 bits.
inline void to_rgb(std::uint8_t* out, const std::uint8_t* y, const std::uint8_t* blue, const std::uint8_t* red,
                   int count, int step) {
  for (int i = 0; i < count; ++i, out += step) {
    const int cb = blue[i] - 128, cr = red[i] - 128;
    out[0] = clamp_to_byte(y[i] + ((91881 * cr + 32768) >> 16));
    out[1] = clamp_to_byte(y[i] + ((-22554 * cb - 46802 * cr + 32768) >> 16));
    out[2] = clamp_to_byte(y[i] + ((116130 * cb + 32768) >> 16));
    if (step == 4) out[3] = 255;
  }
}

/// A row of twice the width between two rows of chroma at half the resolution: each sample 3/4 of the nearer and 1/4 of
/// the farther one, both ways, rounded up on the left and down on the right.
inline std::uint8_t* upsample_2x2(std::uint8_t* out, std::uint8_t* near, std::uint8_t* far, int width, int) {
  const auto column = [&](int i) { return 3 * near[i] + far[i]; };
  for (int i = 0; i < width; ++i) {
    out[2 * i] = static_cast<std::uint8_t>((3 * column(i) + column(std::max(i - 1, 0)) + 8) >> 4);
    out[2 * i + 1] = static_cast<std::uint8_t>((3 * column(i) + column(std::min(i + 1, width - 1)) + 7) >> 4);
  }
  return out;
}

}  // namespace glimpse::jpeg
