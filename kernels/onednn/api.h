#pragma once
// The only place that knows which version of oneDNN is there (2 in Debian 12, 3 in Ubuntu 24.04).
// For the .cpp files beside it alone.

#include <list>
#include <memory>
#include <mutex>
#include <oneapi/dnnl/dnnl.hpp>
#include <utility>
#include <vector>

#include "glimpse/kernels/convolution.h"
#include "glimpse/kernels/nonlinearity.h"

namespace glimpse::kernels::onednn {

using Tag = dnnl::memory::format_tag;

inline std::int64_t ceil_div(std::int64_t a, std::int64_t b) { return (a + b - 1) / b; }

const dnnl::engine& engine();
/// One stream a thread.
dnnl::stream& stream();

/// While it lives, what oneDNN makes and runs on this thread stays on this thread. Work is shared out by parallel_for:
/// the OpenMP that oneDNN comes with keeps waiting threads on their cores for milliseconds, which starves whatever else
/// runs there.
class OneThread {
 public:
  OneThread();
  ~OneThread();
  OneThread(const OneThread&) = delete;
  OneThread& operator=(const OneThread&) = delete;

 private:
  int before_ = 0;
};

inline dnnl::memory::desc f32(const dnnl::memory::dims& sizes, Tag tag) {
  return {sizes, dnnl::memory::data_type::f32, tag};
}

/// Throws bad_alloc where little of the address space is left (ulimit -v): oneDNN crashes when it gets no memory for
/// the code that it makes.
void require_room_for_code();

/// y = f(y).
void append(dnnl::post_ops& ops, Nonlinearity f);

/// A convolution as oneDNN wants it described.
struct Convolution {
  dnnl::memory::desc x, weight, bias, y;  ///< bias of no elements: none
  dnnl::memory::dims strides, dilations, padding, padding_after;

  /// Of the given shape, with the given layouts of x and y; the weights' layout is oneDNN's choice.
  Convolution(const ConvolutionShape& shape, const dnnl::memory::desc& x, const dnnl::memory::desc& y, bool with_bias);
  /// Layout of plain weights, (o,c/groups,kh,kw) or (groups,o/groups,c/groups,kh,kw).
  static dnnl::memory::desc plain_weight(const ConvolutionShape& shape);

  dnnl::convolution_forward::primitive_desc forward(dnnl::prop_kind kind, const dnnl::primitive_attr& attributes) const;
  dnnl::convolution_backward_data::primitive_desc backward_input(const dnnl::primitive_attr& attributes) const;
  dnnl::convolution_backward_weights::primitive_desc backward_weight(const dnnl::primitive_attr& attributes) const;
};

/// Memory for one call at a time on this thread, 64-byte aligned; valid until the next call of this function.
char* scratch(std::size_t bytes);

/// The results of the last `capacity` different keys; safe to use from several threads.
template <class Key, class Value>
class BoundedCache {
 public:
  explicit BoundedCache(std::size_t capacity) : capacity_(capacity) {}

  /// What make() returned for an equal key, or returns now.
  template <class Make>
  std::shared_ptr<const Value> get(const Key& key, Make&& make) {
    const std::lock_guard lock(mutex_);
    for (auto entry = entries_.begin(); entry != entries_.end(); ++entry)
      if (entry->first == key) {
        entries_.splice(entries_.begin(), entries_, entry);
        return entries_.front().second;
      }
    entries_.emplace_front(key, std::make_shared<const Value>(make()));
    if (entries_.size() > capacity_) entries_.pop_back();
    return entries_.front().second;
  }

 private:
  std::size_t capacity_;
  std::mutex mutex_;
  std::list<std::pair<Key, std::shared_ptr<const Value>>> entries_;  // the most recently used first
};

}  // namespace glimpse::kernels::onednn
