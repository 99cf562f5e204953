#ifdef GLIMPSE_HAVE_ONEDNN
#include "glimpse/kernels/onednn/api.h"

#include <dlfcn.h>
#include <sys/mman.h>

#include <cstdlib>
#include <new>

#include "glimpse/kernels/base/check.h"

namespace glimpse::kernels::onednn {

const dnnl::engine& engine() {
  static const dnnl::engine cpu(dnnl::engine::kind::cpu, 0);
  return cpu;
}

dnnl::stream& stream() {
  thread_local dnnl::stream mine(engine());
  return mine;
}

namespace {
/// A function of the OpenMP that oneDNN was loaded with; null where it uses none.
template <class F>
F* openmp(const char* name) {
  return reinterpret_cast<F*>(dlsym(RTLD_DEFAULT, name));
}

void set_openmp_threads(int count) {
  static const auto set = openmp<void(int)>("omp_set_num_threads");
  if (set && count > 0) set(count);
}
}  // namespace

OneThread::OneThread() {
  static const auto count = openmp<int()>("omp_get_max_threads");
  if (count) before_ = count();
  set_openmp_threads(1);
}

OneThread::~OneThread() { set_openmp_threads(before_); }

void require_room_for_code() {
  constexpr std::size_t room = std::size_t{32} << 20;
  void* place = ::mmap(nullptr, room, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
  if (place == MAP_FAILED) throw std::bad_alloc();
  ::munmap(place, room);
}

void append(dnnl::post_ops& ops, Nonlinearity f) {
  using dnnl::algorithm;
  const auto add = [&](algorithm chosen, float alpha, float beta) {
#if DNNL_VERSION_MAJOR >= 3
    ops.append_eltwise(chosen, alpha, beta);
#else
    ops.append_eltwise(1.0f, chosen, alpha, beta);
#endif
  };
  switch (f) {
    case Nonlinearity::none:
      return;
    case Nonlinearity::relu:
      return add(algorithm::eltwise_relu, 0.0f, 0.0f);
    case Nonlinearity::relu6:
      return add(algorithm::eltwise_clip, 0.0f, 6.0f);
    case Nonlinearity::silu:
      return add(algorithm::eltwise_swish, 1.0f, 0.0f);
    case Nonlinearity::gelu:
      return add(algorithm::eltwise_gelu_erf, 0.0f, 0.0f);
    case Nonlinearity::sigmoid:
      return add(algorithm::eltwise_logistic, 0.0f, 0.0f);
  }
}

namespace {
dnnl::memory::dims weight_sizes(const ConvolutionShape& s) {
  if (s.groups == 1) return {s.o, s.c, s.kh, s.kw};
  return {s.groups, s.o / s.groups, s.c / s.groups, s.kh, s.kw};
}
}  // namespace

Convolution::Convolution(const ConvolutionShape& s, const dnnl::memory::desc& x_layout,
                         const dnnl::memory::desc& y_layout, bool with_bias)
    : x(x_layout),
      weight(f32(weight_sizes(s), Tag::any)),
      bias(with_bias ? f32({s.o}, Tag::a) : dnnl::memory::desc()),
      y(y_layout),
      strides{s.stride, s.stride},
      dilations{s.dilation - 1, s.dilation - 1},
      padding{s.padding, s.padding},
      padding_after{s.padding + s.extra_padding, s.padding + s.extra_padding} {
  require_room_for_code();
}

dnnl::memory::desc Convolution::plain_weight(const ConvolutionShape& s) {
  return f32(weight_sizes(s), s.groups == 1 ? Tag::oihw : Tag::goihw);
}

constexpr auto direct = dnnl::algorithm::convolution_direct;

dnnl::convolution_forward::primitive_desc Convolution::forward(dnnl::prop_kind kind,
                                                               const dnnl::primitive_attr& attributes) const {
#if DNNL_VERSION_MAJOR >= 3
  return {engine(), kind, direct, x, weight, bias, y, strides, dilations, padding, padding_after, attributes};
#else
  return {dnnl::convolution_forward::desc(kind, direct, x, weight, bias, y, strides, dilations, padding, padding_after),
          attributes, engine()};
#endif
}

dnnl::convolution_backward_data::primitive_desc Convolution::backward_input(
    const dnnl::primitive_attr& attributes) const {
  const auto hint = forward(dnnl::prop_kind::forward_training, attributes);
#if DNNL_VERSION_MAJOR >= 3
  return {engine(), direct, x, weight, y, strides, dilations, padding, padding_after, hint, attributes};
#else
  return {dnnl::convolution_backward_data::desc(direct, x, weight, y, strides, dilations, padding, padding_after),
          attributes, engine(), hint};
#endif
}

dnnl::convolution_backward_weights::primitive_desc Convolution::backward_weight(
    const dnnl::primitive_attr& attributes) const {
  const auto hint = forward(dnnl::prop_kind::forward_training, attributes);
#if DNNL_VERSION_MAJOR >= 3
  return {engine(), direct, x, weight, y, strides, dilations, padding, padding_after, hint, attributes};
#else
  return {dnnl::convolution_backward_weights::desc(direct, x, weight, y, strides, dilations, padding, padding_after),
          attributes, engine(), hint};
#endif
}

char* scratch(std::size_t bytes) {
  struct Free {
    void operator()(char* p) const { std::free(p); }
  };
  thread_local std::unique_ptr<char, Free> memory;
  thread_local std::size_t size = 0;
  if (bytes > size) {
    memory.reset();
    size = 0;
    const std::size_t rounded = (bytes + 63) / 64 * 64;
    memory.reset(static_cast<char*>(std::aligned_alloc(64, rounded)));
    check(memory != nullptr, "oneDNN: no memory for {} bytes of working space", rounded);
    size = rounded;
  }
  return memory.get();
}

}  // namespace glimpse::kernels::onednn
#endif
