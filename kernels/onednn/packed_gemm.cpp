#include "glimpse/kernels/onednn/packed_gemm.h"

#include "glimpse/kernels/onednn/onednn.h"

#ifdef GLIMPSE_HAVE_ONEDNN
#include <algorithm>
#include <array>
#include <map>
#include <mutex>

#include "glimpse/kernels/base/check.h"
#include "glimpse/kernels/base/parallel.h"
#include "glimpse/kernels/base/processors.h"
#include "glimpse/kernels/onednn/api.h"

// A packed matrix is a row of slices of its columns, each laid out as oneDNN likes it: threads multiply by one each.

namespace glimpse::kernels {
namespace {

using dnnl::matmul;
using dnnl::memory;
using onednn::ceil_div;

memory::desc rows(std::int64_t m, std::int64_t n) { return {{m, n}, memory::data_type::f32, memory::format_tag::ab}; }

matmul::primitive_desc describe(const memory::desc& a, const memory::desc& b, const memory::desc& c, bool accumulate) {
  dnnl::primitive_attr attributes;
  attributes.set_scratchpad_mode(dnnl::scratchpad_mode::user);  // threads run one primitive at the same time
  if (accumulate) {
    dnnl::post_ops sum;
    sum.append_sum(1.0f);
    attributes.set_post_ops(sum);
  }
#if DNNL_VERSION_MAJOR >= 3
  return {onednn::engine(), a, b, c, attributes};
#else
  return {matmul::desc(a, b, c), attributes, onednn::engine()};
#endif
}

struct Product {
  matmul primitive;
  memory::desc scratchpad;
};

/// What oneDNN prepares once per size and is then asked for at each step.
class Cache {
 public:
  static Cache& instance() {
    static Cache* cache = new Cache;  // never destroyed: threads may still multiply while statics go
    return *cache;
  }

  /// The layout that oneDNN likes best for a (k,n) right factor, asked for with the rows of a usual batch. It does not
  /// depend on the rows; a product of another number of rows is made to take it.
  memory::desc weights(std::int64_t k, std::int64_t n) {
    const std::lock_guard lock(mutex_);
    return weights_unlocked(k, n);
  }

  Product product(std::int64_t m, std::int64_t n, std::int64_t k, bool accumulate) {
    const std::lock_guard lock(mutex_);
    const std::array<std::int64_t, 4> key{m, n, k, accumulate};
    const auto found = products_.find(key);
    if (found != products_.end()) return found->second;
    if (products_.size() >= most_products) products_.clear();
    const matmul::primitive_desc described = describe(rows(m, k), weights_unlocked(k, n), rows(m, n), accumulate);
    const Product made{matmul(described), described.scratchpad_desc()};
    products_.emplace(key, made);
    return made;
  }

 private:
  static constexpr std::size_t most_products = 2048;

  memory::desc weights_unlocked(std::int64_t k, std::int64_t n) {
    const auto found = weights_.find({k, n});
    if (found != weights_.end()) return found->second;
    const onednn::OneThread one_thread;
    const memory::desc any({k, n}, memory::data_type::f32, memory::format_tag::any);
    const memory::desc chosen = describe(rows(usual_rows, k), any, rows(usual_rows, n), false).weights_desc();
    weights_.emplace(std::pair{k, n}, chosen);
    return chosen;
  }

  static constexpr std::int64_t usual_rows = 64;
  std::mutex mutex_;
  std::map<std::pair<std::int64_t, std::int64_t>, memory::desc> weights_;
  std::map<std::array<std::int64_t, 4>, Product> products_;
};

template <class F>
auto named(const char* what, std::int64_t m, std::int64_t n, std::int64_t k, F&& f) {
  try {
    return f();
  } catch (const dnnl::error& error) {
    fail("{}: oneDNN failed for m={} n={} k={}: {}", what, m, n, k, error.what());
  }
}

/// The slices of a (k,n) matrix. They do not depend on set_threads: a matrix may be packed under one number of threads
/// and used under another.
struct Slices {
  std::int64_t width, count;  // the last one may be narrower

  explicit Slices(std::int64_t n) {
    const std::int64_t wanted = std::clamp<std::int64_t>(n / 256, 1, usable_processors());
    width = std::min(n, ceil_div(ceil_div(n, wanted), 64) * 64);
    count = ceil_div(n, width);
  }
  std::int64_t columns(std::int64_t slice, std::int64_t n) const { return std::min(width, n - slice * width); }
};

/// Floats of one packed slice, 64-byte aligned.
std::int64_t slice_size(std::int64_t k, std::int64_t n) {
  return ceil_div(static_cast<std::int64_t>(Cache::instance().weights(k, n).get_size()), 64) * 16;
}

/// c = a times one slice, or added to it; c has no gaps, because oneDNN's kernels for packed matrices allow none.
void multiply(std::int64_t m, std::int64_t n, std::int64_t k, const float* a, const float* packed, bool accumulate,
              float* c) {
  const onednn::OneThread one_thread;
  const Product product = Cache::instance().product(m, n, k, accumulate);
  const memory left(rows(m, k), onednn::engine(), const_cast<float*>(a));
  const memory right(Cache::instance().weights(k, n), onednn::engine(), const_cast<float*>(packed));
  const memory result(rows(m, n), onednn::engine(), c);
  const memory scratchpad(product.scratchpad, onednn::engine(), onednn::scratch(product.scratchpad.get_size()));
  product.primitive.execute(
      onednn::stream(),
      {{DNNL_ARG_SRC, left}, {DNNL_ARG_WEIGHTS, right}, {DNNL_ARG_DST, result}, {DNNL_ARG_SCRATCHPAD, scratchpad}});
  onednn::stream().wait();
}

/// As multiply, for c with rows ldc apart.
void multiply_into(std::int64_t m, std::int64_t n, std::int64_t k, const float* a, const float* packed, bool accumulate,
                   float* c, std::int64_t ldc) {
  if (n == ldc) return multiply(m, n, k, a, packed, accumulate, c);
  thread_local std::vector<float> dense;
  if (std::ssize(dense) < m * n) dense.resize(static_cast<std::size_t>(m * n));
  multiply(m, n, k, a, packed, false, dense.data());
  for (std::int64_t i = 0; i < m; ++i) {
    const float* from = dense.data() + i * n;
    float* to = c + i * ldc;
    if (accumulate)
      for (std::int64_t j = 0; j < n; ++j) to[j] += from[j];
    else
      std::copy_n(from, n, to);
  }
}

}  // namespace

std::int64_t onednn_packed_size(std::int64_t k, std::int64_t n) {
  if (k == 0 || n == 0) return 0;
  return named("packed_gemm", 0, n, k, [&] {
    const Slices slices(n);
    return (slices.count - 1) * slice_size(k, slices.width) + slice_size(k, slices.columns(slices.count - 1, n));
  });
}

void onednn_pack(std::int64_t k, std::int64_t n, Operand<float> b, float* packed) {
  if (k == 0 || n == 0) return;
  named("pack", 0, n, k, [&] {
    const Slices slices(n);
    const memory::dims strides = b.transposed ? memory::dims{1, b.stride} : memory::dims{b.stride, 1};
    parallel_for_each(slices.count, [&](std::int64_t s) {
      const onednn::OneThread one_thread;
      const std::int64_t columns = slices.columns(s, n), first = s * slices.width;
      memory from({{k, columns}, memory::data_type::f32, strides}, onednn::engine(),
                  const_cast<float*>(b.data) + first * (b.transposed ? b.stride : 1));
      memory to(Cache::instance().weights(k, columns), onednn::engine(), packed + s * slice_size(k, slices.width));
      dnnl::reorder(from, to).execute(onednn::stream(), from, to);
      onednn::stream().wait();
    });
  });
}

void onednn_packed_gemm(std::int64_t m, std::int64_t n, std::int64_t k, const float* a, const float* packed,
                        bool accumulate, float* c) {
  named("packed_gemm", m, n, k, [&] {
    const Slices slices(n);
    // Blocks of rows too, where there are more threads than slices.
    const std::int64_t cuts = std::clamp<std::int64_t>(ceil_div(threads(), slices.count), 1, ceil_div(m, 32));
    const std::int64_t height = ceil_div(m, cuts), down = ceil_div(m, height);
    parallel_for_each(down * slices.count, [&](std::int64_t i) {
      const std::int64_t s = i % slices.count, row = i / slices.count * height;
      multiply_into(std::min(height, m - row), slices.columns(s, n), k, a + row * k,
                    packed + s * slice_size(k, slices.width), accumulate, c + row * n + s * slices.width, n);
    });
  });
}

}  // namespace glimpse::kernels
#endif
