#include "glimpse/kernels/onednn/inference.h"

#ifdef GLIMPSE_HAVE_ONEDNN
#include <cstdlib>
#include <unordered_map>

#include "glimpse/kernels/base/check.h"
#include "glimpse/kernels/onednn/api.h"

namespace glimpse::kernels {
namespace {

using onednn::f32;
using onednn::Tag;

Tag blocked_tag() { return onednn_block() == 16 ? Tag::nChw16c : Tag::nChw8c; }

dnnl::primitive_attr attributes_of(bool accumulate, Nonlinearity f) {
  dnnl::post_ops after;
  if (accumulate) after.append_sum(1.0f);
  onednn::append(after, f);
  dnnl::primitive_attr attributes;
  attributes.set_scratchpad_mode(dnnl::scratchpad_mode::user);
  attributes.set_post_ops(after);
  return attributes;
}

}  // namespace

std::int64_t onednn_block() {
  const auto isa = static_cast<unsigned>(dnnl::get_effective_cpu_isa());
  const auto avx512 = static_cast<unsigned>(dnnl::cpu_isa::avx512_core);
  return (isa & avx512) == avx512 ? 16 : 8;
}

struct OnednnConvolution::Prepared {
  dnnl::convolution_forward::primitive_desc descriptor;
  dnnl::convolution_forward primitive;
  dnnl::memory weight, bias;
};

OnednnConvolution::OnednnConvolution(const ConvolutionShape& s, const float* weight, const float* bias, bool plain_x,
                                     bool accumulate, Nonlinearity f) {
  check(s.n == 1, "inference convolution: one image is needed, not {}", s.n);
  const onednn::OneThread one_thread;
  try {
    const dnnl::memory::desc x = f32({1, s.c, s.h, s.w}, plain_x ? Tag::nchw : blocked_tag());
    const dnnl::memory::desc y = f32({1, s.o, s.out_h(), s.out_w()}, blocked_tag());
    const auto descriptor =
        onednn::Convolution(s, x, y, true).forward(dnnl::prop_kind::forward_inference, attributes_of(accumulate, f));
    const dnnl::engine& engine = onednn::engine();
    dnnl::memory packed(descriptor.weights_desc(), engine), packed_bias(descriptor.bias_desc(), engine);
    dnnl::memory plain(onednn::Convolution::plain_weight(s), engine, const_cast<float*>(weight));
    dnnl::reorder(plain, packed).execute(onednn::stream(), plain, packed);
    onednn::stream().wait();
    std::copy_n(bias, s.o, static_cast<float*>(packed_bias.get_data_handle()));
    prepared_ = std::make_unique<Prepared>(
        Prepared{descriptor, dnnl::convolution_forward(descriptor), std::move(packed), std::move(packed_bias)});
  } catch (const dnnl::error& e) {
    fail("inference convolution: oneDNN: {} (x (1,{},{},{}), weight ({},{},{},{}))", e.what(), s.c, s.h, s.w, s.o,
         s.c / s.groups, s.kh, s.kw);
  }
}

OnednnConvolution::~OnednnConvolution() = default;
OnednnConvolution::OnednnConvolution(OnednnConvolution&&) noexcept = default;

std::size_t OnednnConvolution::scratch_bytes() const { return prepared_->descriptor.scratchpad_desc().get_size(); }

struct OnednnConvolution::Bound::Arguments {
  const dnnl::convolution_forward* primitive;
  std::unordered_map<int, dnnl::memory> memory;
};

OnednnConvolution::Bound::Bound(const OnednnConvolution& convolution, const float* x, float* y, char* scratch) {
  const Prepared& p = *convolution.prepared_;
  const dnnl::engine& engine = onednn::engine();
  arguments_ = std::make_unique<Arguments>(
      Arguments{&p.primitive,
                {{DNNL_ARG_SRC, {p.descriptor.src_desc(), engine, const_cast<float*>(x)}},
                 {DNNL_ARG_WEIGHTS, p.weight},
                 {DNNL_ARG_BIAS, p.bias},
                 {DNNL_ARG_DST, {p.descriptor.dst_desc(), engine, y}},
                 {DNNL_ARG_SCRATCHPAD, {p.descriptor.scratchpad_desc(), engine, scratch}}}});
}

OnednnConvolution::Bound::~Bound() = default;
OnednnConvolution::Bound::Bound(Bound&&) noexcept = default;

void OnednnConvolution::Bound::run() const {
  const onednn::OneThread one_thread;
  try {
    arguments_->primitive->execute(onednn::stream(), arguments_->memory);
    onednn::stream().wait();
  } catch (const dnnl::error& e) {
    fail("inference convolution: oneDNN: {}", e.what());
  }
}

}  // namespace glimpse::kernels
#endif
