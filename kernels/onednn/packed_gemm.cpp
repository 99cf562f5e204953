#include "glimpse/kernels/onednn/packed_gemm.h"

#include "glimpse/kernels/onednn/onednn.h"

#ifdef GLIMPSE_HAVE_ONEDNN
#include <array>
#include <map>
#include <mutex>
#include <oneapi/dnnl/dnnl.hpp>

#include "glimpse/kernels/base/check.h"

namespace glimpse::kernels {
namespace {

using dnnl::matmul;
using dnnl::memory;

const dnnl::engine& cpu_engine() {
  static const dnnl::engine engine(dnnl::engine::kind::cpu, 0);
  return engine;
}

dnnl::stream& cpu_stream() {
  static thread_local dnnl::stream stream(cpu_engine());
  return stream;
}

memory::desc rows(std::int64_t m, std::int64_t n) { return {{m, n}, memory::data_type::f32, memory::format_tag::ab}; }

matmul::primitive_desc describe(const memory::desc& a, const memory::desc& b, const memory::desc& c, bool accumulate) {
  dnnl::primitive_attr attributes;
  if (accumulate) {
    dnnl::post_ops sum;
    sum.append_sum(1.0f);
    attributes.set_post_ops(sum);
  }
#if DNNL_VERSION_MAJOR >= 3
  return {cpu_engine(), a, b, c, attributes};
#else
  return {matmul::desc(a, b, c), attributes, cpu_engine()};
#endif
}

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

  matmul product(std::int64_t m, std::int64_t n, std::int64_t k, bool accumulate) {
    const std::lock_guard lock(mutex_);
    const std::array<std::int64_t, 4> key{m, n, k, accumulate};
    const auto found = products_.find(key);
    if (found != products_.end()) return found->second;
    if (products_.size() >= most_products) products_.clear();
    const matmul made(describe(rows(m, k), weights_unlocked(k, n), rows(m, n), accumulate));
    products_.emplace(key, made);
    return made;
  }

 private:
  static constexpr std::size_t most_products = 2048;

  memory::desc weights_unlocked(std::int64_t k, std::int64_t n) {
    const auto found = weights_.find({k, n});
    if (found != weights_.end()) return found->second;
    const memory::desc any({k, n}, memory::data_type::f32, memory::format_tag::any);
    const memory::desc chosen = describe(rows(usual_rows, k), any, rows(usual_rows, n), false).weights_desc();
    weights_.emplace(std::pair{k, n}, chosen);
    return chosen;
  }

  static constexpr std::int64_t usual_rows = 64;
  std::mutex mutex_;
  std::map<std::pair<std::int64_t, std::int64_t>, memory::desc> weights_;
  std::map<std::array<std::int64_t, 4>, matmul> products_;
};

template <class F>
auto named(const char* what, std::int64_t m, std::int64_t n, std::int64_t k, F&& f) {
  try {
    return f();
  } catch (const dnnl::error& error) {
    fail("{}: oneDNN failed for m={} n={} k={}: {}", what, m, n, k, error.what());
  }
}

}  // namespace

std::int64_t onednn_packed_size(std::int64_t k, std::int64_t n) {
  if (k == 0 || n == 0) return 0;
  return named("packed_gemm", 0, n, k, [&] {
    return static_cast<std::int64_t>((Cache::instance().weights(k, n).get_size() + sizeof(float) - 1) / sizeof(float));
  });
}

void onednn_pack(std::int64_t k, std::int64_t n, Operand<float> b, float* packed) {
  if (k == 0 || n == 0) return;
  named("pack", 0, n, k, [&] {
    const memory::dims strides = b.transposed ? memory::dims{1, b.stride} : memory::dims{b.stride, 1};
    memory from({{k, n}, memory::data_type::f32, strides}, cpu_engine(), const_cast<float*>(b.data));
    memory to(Cache::instance().weights(k, n), cpu_engine(), packed);
    dnnl::reorder(from, to).execute(cpu_stream(), from, to);
    cpu_stream().wait();
  });
}

void onednn_packed_gemm(std::int64_t m, std::int64_t n, std::int64_t k, const float* a, const float* packed,
                        bool accumulate, float* c) {
  named("packed_gemm", m, n, k, [&] {
    const matmul product = Cache::instance().product(m, n, k, accumulate);
    const memory left(rows(m, k), cpu_engine(), const_cast<float*>(a));
    const memory right(Cache::instance().weights(k, n), cpu_engine(), const_cast<float*>(packed));
    const memory result(rows(m, n), cpu_engine(), c);
    product.execute(cpu_stream(), {{DNNL_ARG_SRC, left}, {DNNL_ARG_WEIGHTS, right}, {DNNL_ARG_DST, result}});
    cpu_stream().wait();
  });
}

}  // namespace glimpse::kernels
#endif
