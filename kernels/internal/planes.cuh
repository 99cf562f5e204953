#pragma once
// What the kernels for images share: which pixel of which plane a thread works on, and sums over whole channels.

#include "glimpse/kernels/cuda/helpers.cuh"

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

/// How sums over the channels of x (n,c,area) are made: a block sums one chunk of one channel, then a warp per channel
/// adds the chunks. A channel's elements are numbered image by image; how they are cut depends on the shape alone.
struct ChannelChunks {
  static constexpr unsigned threads = 256;  // of a block, in all kernels that use this
  static constexpr std::int64_t longest = 8192;

  std::int64_t channels, area;
  std::int64_t count;   // elements of a channel
  std::int64_t number;  // chunks of a channel
  ChannelChunks(std::int64_t n, std::int64_t c, std::int64_t plane)
      : channels(c),
        area(std::max<std::int64_t>(1, plane)),
        count(n * plane),
        number(std::max<std::int64_t>(1, ceil_div(count, longest))) {}

  std::int64_t blocks() const { return channels * number; }
  unsigned grid_of_warps() const { return grid_size(ceil_div(channels, threads / warp_lanes)); }

  __device__ __forceinline__ std::int64_t size(std::int64_t chunk) const {
    return min(count - chunk * longest, longest);
  }

  /// An element of a channel: where it is in x, and in its plane of which image.
  struct Element {
    std::int64_t at, image, place;
  };
  /// body(Element) for each element of a chunk, in the threads of a block. Divides once, and counts from there on.
  template <class Body>
  __device__ __forceinline__ void for_each(std::int64_t channel, std::int64_t chunk, Body body) const {
    const std::int64_t first = chunk * longest + threadIdx.x;
    const std::int64_t images_of_step = threads / area, places_of_step = threads - images_of_step * area;
    std::int64_t image = first / area, place = first - image * area;
    for (std::int64_t i = threadIdx.x; i < size(chunk); i += threads) {
      body(Element{(image * channels + channel) * area + place, image, place});
      image += images_of_step;
      place += places_of_step;
      if (place >= area) {
        place -= area;
        ++image;
      }
    }
  }

  /// The channel of this warp, or one that is not there.
  __device__ __forceinline__ static std::int64_t channel_of_warp() {
    return static_cast<std::int64_t>(blockIdx.x) * warps_of_block() + warp_index();
  }
  /// The sum of a channel's parts (channels,number), in all lanes of the warp.
  __device__ __forceinline__ double add(std::int64_t channel, const double* parts) const {
    double sum = 0;
    for (std::int64_t i = lane_index(); i < number; i += warp_lanes) sum += parts[channel * number + i];
    return warp_sum(sum);
  }
};

}  // namespace glimpse::kernels
