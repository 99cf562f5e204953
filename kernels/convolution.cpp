#include "glimpse/kernels/convolution.h"

#include <algorithm>
#include <type_traits>
#include <vector>

#include "glimpse/kernels/base/vectors.h"
#include "glimpse/kernels/gemm.h"
#include "glimpse/kernels/onednn/onednn.h"

namespace glimpse::kernels {
namespace {

using Shape = ConvolutionShape;

/// Sizes of the product of one group: weight (rows,depth) times patches (depth,cells).
struct Product {
  std::int64_t rows, depth, cells, group_input;
  explicit Product(const Shape& s)
      : rows(s.o / s.groups),
        depth(s.c / s.groups * s.kh * s.kw),
        cells(s.out_h() * s.out_w()),
        group_input(s.c / s.groups * s.h * s.w) {}
};

/// The outputs [begin, end) for which i stride + offset lies in [0, size).
struct Inside {
  std::int64_t begin, end;
  Inside(std::int64_t offset, std::int64_t stride, std::int64_t size, std::int64_t out)
      : begin(std::min(out, offset >= 0 ? 0 : (-offset + stride - 1) / stride)),
        end(std::max(begin, std::min(out, size - offset <= 0 ? 0 : (size - offset - 1) / stride + 1))) {}
};

/// patches (c/groups kh kw, out_h out_w): row (c,k,l) holds the pixels that weight[.,c,k,l] meets. x (c/groups,h,w).
template <class T>
void image_to_patches(const Shape& s, const T* x, T* patches) {
  const std::int64_t out_h = s.out_h(), out_w = s.out_w(), depth = s.c / s.groups * s.kh * s.kw;
  vector_for(depth, 1 + 16384 / (out_h * out_w + 1), [&](std::int64_t first, std::int64_t last) {
    for (std::int64_t row = first; row < last; ++row) {
      const T* plane = x + row / (s.kh * s.kw) * s.h * s.w;
      const std::int64_t dy = row / s.kw % s.kh * s.dilation - s.padding, dx = row % s.kw * s.dilation - s.padding;
      const Inside rows(dy, s.stride, s.h, out_h), columns(dx, s.stride, s.w, out_w);
      T* to = patches + row * out_h * out_w;
      std::fill_n(to, out_h * out_w, T(0));
      for (std::int64_t i = rows.begin; i < rows.end; ++i)
        for (std::int64_t j = columns.begin; j < columns.end; ++j)
          to[i * out_w + j] = plane[(i * s.stride + dy) * s.w + j * s.stride + dx];
    }
  });
}

/// The transpose of image_to_patches: adds each patch's values to the pixels that they came from. x (c/groups,h,w).
template <class T>
void patches_to_image(const Shape& s, const T* patches, T* x) {
  const std::int64_t out_h = s.out_h(), out_w = s.out_w(), taps = s.kh * s.kw;
  vector_for(s.c / s.groups, 1 + 16384 / (taps * out_h * out_w + 1), [&](std::int64_t first, std::int64_t last) {
    for (std::int64_t c = first; c < last; ++c) {
      T* plane = x + c * s.h * s.w;
      std::fill_n(plane, s.h * s.w, T(0));
      for (std::int64_t tap = 0; tap < taps; ++tap) {
        const std::int64_t dy = tap / s.kw * s.dilation - s.padding, dx = tap % s.kw * s.dilation - s.padding;
        const Inside rows(dy, s.stride, s.h, out_h), columns(dx, s.stride, s.w, out_w);
        const T* from = patches + (c * taps + tap) * out_h * out_w;
        for (std::int64_t i = rows.begin; i < rows.end; ++i)
          for (std::int64_t j = columns.begin; j < columns.end; ++j)
            plane[(i * s.stride + dy) * s.w + j * s.stride + dx] += from[i * out_w + j];
      }
    }
  });
}

/// Calls body(plane, tap, x offset, y offset of the row, columns) for all rows of a depthwise convolution's planes.
template <class Body>
void for_depthwise_rows(const Shape& s, std::int64_t plane, Body&& body) {
  const std::int64_t out_h = s.out_h(), out_w = s.out_w();
  for (std::int64_t tap = 0; tap < s.kh * s.kw; ++tap) {
    const std::int64_t dy = tap / s.kw * s.dilation - s.padding, dx = tap % s.kw * s.dilation - s.padding;
    const Inside rows(dy, s.stride, s.h, out_h), columns(dx, s.stride, s.w, out_w);
    for (std::int64_t i = rows.begin; i < rows.end; ++i)
      body(tap, plane * s.h * s.w + (i * s.stride + dy) * s.w + dx, (plane * out_h + i) * out_w, columns);
  }
}

template <class T>
void depthwise_forward(const Shape& s, const T* x, const T* weight, const T* bias, T* y) {
  const std::int64_t cells = s.out_h() * s.out_w(), taps = s.kh * s.kw;
  vector_for(s.n * s.c, 1, [&](std::int64_t first, std::int64_t last) {
    for (std::int64_t plane = first; plane < last; ++plane) {
      std::fill_n(y + plane * cells, cells, bias ? bias[plane % s.c] : T(0));
      const T* w = weight + plane % s.c * taps;
      for_depthwise_rows(s, plane, [&](std::int64_t tap, std::int64_t from, std::int64_t to, const Inside& columns) {
        for (std::int64_t j = columns.begin; j < columns.end; ++j) y[to + j] += w[tap] * x[from + j * s.stride];
      });
    }
  });
}

template <class T>
void depthwise_backward_input(const Shape& s, const T* dy, const T* weight, T* dx) {
  vector_for(s.n * s.c, 1, [&](std::int64_t first, std::int64_t last) {
    for (std::int64_t plane = first; plane < last; ++plane) {
      std::fill_n(dx + plane * s.h * s.w, s.h * s.w, T(0));
      const T* w = weight + plane % s.c * s.kh * s.kw;
      for_depthwise_rows(s, plane, [&](std::int64_t tap, std::int64_t from, std::int64_t to, const Inside& columns) {
        for (std::int64_t j = columns.begin; j < columns.end; ++j) dx[from + j * s.stride] += w[tap] * dy[to + j];
      });
    }
  });
}

template <class T>
void depthwise_backward_weight(const Shape& s, const T* x, const T* dy, T* dweight) {
  const std::int64_t taps = s.kh * s.kw;
  vector_for(s.c, 1, [&](std::int64_t first, std::int64_t last) {
    std::vector<double> sums(static_cast<std::size_t>(taps));
    for (std::int64_t c = first; c < last; ++c) {
      std::fill(sums.begin(), sums.end(), 0.0);
      for (std::int64_t i = 0; i < s.n; ++i)
        for_depthwise_rows(s, i * s.c + c,
                           [&](std::int64_t tap, std::int64_t from, std::int64_t to, const Inside& columns) {
                             double sum = 0;
                             for (std::int64_t j = columns.begin; j < columns.end; ++j)
                               sum += static_cast<double>(x[from + j * s.stride]) * static_cast<double>(dy[to + j]);
                             sums[tap] += sum;
                           });
      for (std::int64_t tap = 0; tap < taps; ++tap) dweight[c * taps + tap] = static_cast<T>(sums[tap]);
    }
  });
}

}  // namespace

template <class T>
void convolution_forward_own(Cpu, const Shape& s, const T* x, const T* weight, const T* bias, T* y) {
  if (s.depthwise()) return depthwise_forward(s, x, weight, bias, y);
  const Product p(s);
  std::vector<T> patches(static_cast<std::size_t>(s.pointwise() ? 0 : p.depth * p.cells));
  for (std::int64_t i = 0; i < s.n; ++i)
    for (std::int64_t g = 0; g < s.groups; ++g) {
      const T* image = x + (i * s.groups + g) * p.group_input;
      T* to = y + (i * s.groups + g) * p.rows * p.cells;
      if (!s.pointwise()) image_to_patches(s, image, patches.data());
      for (std::int64_t o = 0; bias && o < p.rows; ++o) std::fill_n(to + o * p.cells, p.cells, bias[g * p.rows + o]);
      gemm(Cpu{}, p.rows, p.cells, p.depth, T(1), Operand<T>{weight + g * p.rows * p.depth, p.depth},
           Operand<T>{s.pointwise() ? image : patches.data(), p.cells}, T(bias ? 1 : 0), to, p.cells);
    }
}

template <class T>
void convolution_backward_input_own(Cpu, const Shape& s, const T* dy, const T* weight, T* dx) {
  if (s.depthwise()) return depthwise_backward_input(s, dy, weight, dx);
  const Product p(s);
  std::vector<T> patches(static_cast<std::size_t>(s.pointwise() ? 0 : p.depth * p.cells));
  for (std::int64_t i = 0; i < s.n; ++i)
    for (std::int64_t g = 0; g < s.groups; ++g) {
      T* image = dx + (i * s.groups + g) * p.group_input;
      gemm(Cpu{}, p.depth, p.cells, p.rows, T(1), Operand<T>{weight + g * p.rows * p.depth, p.depth, true},
           Operand<T>{dy + (i * s.groups + g) * p.rows * p.cells, p.cells}, T(0),
           s.pointwise() ? image : patches.data(), p.cells);
      if (!s.pointwise()) patches_to_image(s, patches.data(), image);
    }
}

template <class T>
void convolution_backward_weight_own(Cpu, const Shape& s, const T* x, const T* dy, T* dweight) {
  if (s.depthwise()) return depthwise_backward_weight(s, x, dy, dweight);
  const Product p(s);
  std::vector<T> patches(static_cast<std::size_t>(s.pointwise() ? 0 : p.depth * p.cells));
  std::fill_n(dweight, s.o * p.depth, T(0));
  for (std::int64_t i = 0; i < s.n; ++i)
    for (std::int64_t g = 0; g < s.groups; ++g) {
      const T* image = x + (i * s.groups + g) * p.group_input;
      if (!s.pointwise()) image_to_patches(s, image, patches.data());
      gemm(Cpu{}, p.rows, p.depth, p.cells, T(1), Operand<T>{dy + (i * s.groups + g) * p.rows * p.cells, p.cells},
           Operand<T>{s.pointwise() ? image : patches.data(), p.cells, true}, T(1), dweight + g * p.rows * p.depth,
           p.depth);
    }
}

template <class T>
void convolution_forward(Cpu, const Shape& s, const T* x, const T* weight, const T* bias, T* y) {
  if constexpr (onednn_built && std::is_same_v<T, float>)
    onednn_convolution_forward(s, x, weight, bias, y);
  else
    convolution_forward_own(Cpu{}, s, x, weight, bias, y);
}

template <class T>
void convolution_backward_input(Cpu, const Shape& s, const T* dy, const T* weight, T* dx) {
  if constexpr (onednn_built && std::is_same_v<T, float>)
    onednn_convolution_backward_input(s, dy, weight, dx);
  else
    convolution_backward_input_own(Cpu{}, s, dy, weight, dx);
}

template <class T>
void convolution_backward_weight(Cpu, const Shape& s, const T* x, const T* dy, T* dweight) {
  if constexpr (onednn_built && std::is_same_v<T, float>)
    onednn_convolution_backward_weight(s, x, dy, dweight);
  else
    convolution_backward_weight_own(Cpu{}, s, x, dy, dweight);
}

template <class T>
void convolution_backward_bias(Cpu, const Shape& s, const T* dy, T* dbias) {
  const std::int64_t cells = s.out_h() * s.out_w();
  vector_for(s.o, 1 + 16384 / (s.n * cells + 1), [&](std::int64_t first, std::int64_t last) {
    for (std::int64_t o = first; o < last; ++o) {
      double sum = 0;
      for (std::int64_t i = 0; i < s.n; ++i) {
        const T* dys = dy + (i * s.o + o) * cells;
#pragma omp simd reduction(+ : sum)
        for (std::int64_t j = 0; j < cells; ++j) sum += static_cast<double>(dys[j]);
      }
      dbias[o] = static_cast<T>(sum);
    }
  });
}

GLIMPSE_CONVOLUTION_KERNELS(Cpu, float)
GLIMPSE_CONVOLUTION_KERNELS(Cpu, double)

}  // namespace glimpse::kernels
