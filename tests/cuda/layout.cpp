#include "glimpse/kernels/layout.h"

#include "cuda_test.h"
#include "glimpse/kernels/base/error.h"

using namespace glimpse;
using namespace glimpse::kernels;
using namespace glimpse::test;

namespace {

/// The view of x (`sizes`, contiguous) with its dimensions in another order.
StridedView permuted(const std::vector<std::int64_t>& sizes, const std::vector<int>& order) {
  std::vector<std::int64_t> strides(sizes.size());
  std::int64_t stride = 1;
  for (std::size_t d = sizes.size(); d-- > 0;) {
    strides[d] = stride;
    stride *= sizes[d];
  }
  StridedView view{};
  view.rank = static_cast<int>(sizes.size());
  for (std::size_t d = 0; d < order.size(); ++d) {
    view.sizes[d] = sizes[order[d]];
    view.strides[d] = strides[order[d]];
  }
  return view;
}

template <class T>
std::vector<T> permuted_values(const StridedView& view, const std::vector<T>& x) {
  std::vector<T> y(x.size());
  for (std::size_t i = 0; i < y.size(); ++i) {
    std::int64_t rest = static_cast<std::int64_t>(i), at = 0;
    for (int d = view.rank - 1; d >= 0; --d) {
      at += rest % view.sizes[d] * view.strides[d];
      rest /= view.sizes[d];
    }
    y[i] = x[at];
  }
  return y;
}

}  // namespace

TEST_CASE("dimensions in another order") {
  struct Case {
    std::vector<std::int64_t> sizes;
    std::vector<int> order;
  };
  const std::vector<Case> cases = {{{5}, {0}},
                                   {{0, 3}, {1, 0}},
                                   {{1, 1}, {1, 0}},
                                   {{31, 33}, {1, 0}},
                                   {{32, 32}, {1, 0}},
                                   {{196, 67}, {1, 0}},
                                   {{1, 1000}, {1, 0}},
                                   {{2, 3, 5, 7}, {0, 2, 3, 1}},  // NCHW to NHWC
                                   {{2, 33, 9, 4}, {0, 2, 3, 1}},
                                   {{2, 5, 7, 3}, {0, 3, 1, 2}},  // and back
                                   {{4, 5, 6}, {1, 0, 2}},        // rows stay whole
                                   {{4, 5, 6}, {2, 1, 0}},
                                   {{2, 3, 4, 2, 3, 2}, {5, 0, 4, 1, 3, 2}},
                                   {{2, 3, 4, 2, 3, 2}, {4, 3, 2, 1, 0, 5}},  // six dimensions, none together
                                   {{40, 1, 35}, {2, 1, 0}}};
  for (const Case& c : cases)
    for_each_type([&](auto type, const char*) {
      using T = decltype(type);
      std::int64_t n = 1;
      for (const std::int64_t size : c.sizes) n *= size;
      const std::vector<T> x = draw<T>(n, 1);
      const StridedView view = permuted(c.sizes, c.order);
      const std::vector<T> got = repeated<T>("permute", [&] {
        const DeviceArray<T> in(x), out(n);
        permute(Cuda{}, view, in.data(), out.data());
        return out.host();
      });
      check_same("permute", got, permuted_values(view, x));
    });
}

TEST_CASE("a view of six dimensions of which none is consecutive") {
  const StridedView view{6, {2, 3, 2, 2, 3, 2}, {2, 4, 144, 288, 12, 36 * 16}};
  const std::vector<float> x = draw<float>(2 * 576, 1);
  const DeviceArray<float> in(x), out(144);
  permute(Cuda{}, view, in.data(), out.data());
  std::vector<float> expected = permuted_values(view, std::vector<float>(x));
  expected.resize(144);
  check_same("permute", out.host(), expected);
}

TEST_CASE("an expanded view repeats elements") {
  StridedView view{};
  view.rank = 2;
  view.sizes[0] = 3;
  view.sizes[1] = 4;
  view.strides[0] = 1;
  const DeviceArray<float> in(std::vector<float>{1, 2, 3}), out(12);
  permute(Cuda{}, view, in.data(), out.data());
  check_same("expand", out.host(), {1, 1, 1, 1, 2, 2, 2, 2, 3, 3, 3, 3});
}

TEST_CASE("rows of different strides") {
  struct Case {
    std::int64_t rows, width, x_stride, y_stride;
  };
  for (const Case& c : std::vector<Case>{{0, 4, 4, 4},
                                         {3, 0, 4, 4},
                                         {1, 1, 1, 1},
                                         {67, 31, 33, 40},
                                         {67, 32, 64, 32},
                                         {5, 196, 196, 200},
                                         {3, 1000, 1004, 1001}})
    for_each_type([&](auto type, const char*) {
      using T = decltype(type);
      const std::vector<T> x = draw<T>(c.rows * c.x_stride, 1), before = draw<T>(c.rows * c.y_stride, 2);
      std::vector<T> expected = before;
      for (std::int64_t r = 0; r < c.rows; ++r)
        std::copy_n(x.begin() + r * c.x_stride, c.width, expected.begin() + r * c.y_stride);
      const std::vector<T> got = repeated<T>("copy_rows", [&] {
        const DeviceArray<T> in(x), out(before);
        copy_rows(Cuda{}, c.rows, c.width, c.x_stride, in.data(), c.y_stride, out.data());
        return out.host();
      });
      check_same("copy_rows", got, expected);
    });
}

TEST_CASE("rows that 32 bits cannot count are an error") {
  const std::int64_t width = std::int64_t{4} << 31;  // moved in packs of four
  const float* x = nullptr;
  CHECK_THROWS_AS(copy_rows(Cuda{}, 1, width, width, x, width, static_cast<float*>(nullptr)), Error);
}
