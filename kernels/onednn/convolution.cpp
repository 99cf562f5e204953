#include "glimpse/kernels/onednn/onednn.h"

#ifdef GLIMPSE_HAVE_ONEDNN
#include <algorithm>

#include "glimpse/kernels/base/check.h"
#include "glimpse/kernels/base/parallel.h"
#include "glimpse/kernels/onednn/api.h"

// oneDNN chooses the layouts; plain tensors are reordered on the way in and out.

namespace glimpse::kernels {
namespace {

using onednn::f32;
using onednn::Tag;

/// One tensor of a primitive: the plain layout that it comes in, and the one that oneDNN chose.
struct Argument {
  int id;
  bool result;
  dnnl::memory::desc plain, chosen;
  dnnl::primitive reorder;  // between the two, where they differ

  Argument(int argument, bool is_result, const dnnl::memory::desc& from, const dnnl::memory::desc& to)
      : id(argument), result(is_result), plain(from), chosen(to) {
    if (plain == chosen) return;
    const dnnl::memory::desc &source = result ? chosen : plain, &target = result ? plain : chosen;
    reorder = dnnl::reorder(dnnl::reorder::primitive_desc(onednn::engine(), source, onednn::engine(), target));
  }
};

struct Prepared {
  dnnl::primitive primitive;
  dnnl::memory::desc scratchpad;
  std::vector<Argument> arguments;
};

enum class Direction { forward, backward_input, backward_weight };

struct Key {
  Direction direction;
  ConvolutionShape shape;
  bool with_bias;
  int threads;  // a primitive is bound to the number of threads that it was made for
  bool operator==(const Key&) const = default;
};

Prepared prepare(const Key& key) {
  const ConvolutionShape& s = key.shape;
  const dnnl::memory::dims x_sizes{s.n, s.c, s.h, s.w}, y_sizes{s.n, s.o, s.out_h(), s.out_w()};
  const dnnl::memory::desc x = f32(x_sizes, Tag::nchw), y = f32(y_sizes, Tag::nchw);
  const dnnl::memory::desc weight = onednn::Convolution::plain_weight(s);
  const onednn::Convolution convolution(s, f32(x_sizes, Tag::any), f32(y_sizes, Tag::any), key.with_bias);
  dnnl::primitive_attr attributes;
  attributes.set_scratchpad_mode(dnnl::scratchpad_mode::user);
  if (key.direction == Direction::forward) {
    const auto d = convolution.forward(dnnl::prop_kind::forward_training, attributes);
    Prepared p{dnnl::convolution_forward(d), d.scratchpad_desc(), {}};
    p.arguments = {{DNNL_ARG_SRC, false, x, d.src_desc()},
                   {DNNL_ARG_WEIGHTS, false, weight, d.weights_desc()},
                   {DNNL_ARG_DST, true, y, d.dst_desc()}};
    if (key.with_bias) p.arguments.push_back({DNNL_ARG_BIAS, false, f32({s.o}, Tag::a), d.bias_desc()});
    return p;
  }
  if (key.direction == Direction::backward_input) {
    const auto d = convolution.backward_input(attributes);
    return {dnnl::convolution_backward_data(d),
            d.scratchpad_desc(),
            {{DNNL_ARG_DIFF_DST, false, y, d.diff_dst_desc()},
             {DNNL_ARG_WEIGHTS, false, weight, d.weights_desc()},
             {DNNL_ARG_DIFF_SRC, true, x, d.diff_src_desc()}}};
  }
  const auto d = convolution.backward_weight(attributes);
  return {dnnl::convolution_backward_weights(d),
          d.scratchpad_desc(),
          {{DNNL_ARG_SRC, false, x, d.src_desc()},
           {DNNL_ARG_DIFF_DST, false, y, d.diff_dst_desc()},
           {DNNL_ARG_DIFF_WEIGHTS, true, weight, d.diff_weights_desc()}}};
}

std::size_t rounded(std::size_t bytes) { return (bytes + 63) / 64 * 64; }

/// Runs a convolution on plain tensors, given in the order of Prepared::arguments.
void run(const Key& key, const std::vector<const float*>& tensors) {
  static onednn::BoundedCache<Key, Prepared> cache(256);
  try {
    const std::shared_ptr<const Prepared> p = cache.get(key, [&] { return prepare(key); });
    std::size_t bytes = rounded(p->scratchpad.get_size());
    for (const Argument& a : p->arguments) bytes += a.reorder ? rounded(a.chosen.get_size()) : 0;
    char* free_memory = onednn::scratch(bytes);
    const auto take = [&](const dnnl::memory::desc& desc) {
      dnnl::memory memory(desc, onednn::engine(), free_memory);
      free_memory += rounded(desc.get_size());
      return memory;
    };
    dnnl::stream& stream = onednn::stream();
    std::unordered_map<int, dnnl::memory> arguments{{DNNL_ARG_SCRATCHPAD, take(p->scratchpad)}};
    std::vector<dnnl::memory> plain;
    for (std::size_t i = 0; i < p->arguments.size(); ++i) {
      const Argument& a = p->arguments[i];
      plain.emplace_back(a.plain, onednn::engine(), const_cast<float*>(tensors[i]));
      const dnnl::memory chosen = a.reorder ? take(a.chosen) : plain[i];
      arguments.emplace(a.id, chosen);
      if (a.reorder && !a.result) a.reorder.execute(stream, {{DNNL_ARG_FROM, plain[i]}, {DNNL_ARG_TO, chosen}});
    }
    p->primitive.execute(stream, arguments);
    for (std::size_t i = 0; i < p->arguments.size(); ++i) {
      const Argument& a = p->arguments[i];
      if (a.reorder && a.result)
        a.reorder.execute(stream, {{DNNL_ARG_FROM, arguments.at(a.id)}, {DNNL_ARG_TO, plain[i]}});
    }
    stream.wait();
  } catch (const dnnl::error& e) {
    const ConvolutionShape& s = key.shape;
    fail("convolution: oneDNN: {} (x ({},{},{},{}), weight ({},{},{},{}))", e.what(), s.n, s.c, s.h, s.w, s.o,
         s.c / s.groups, s.kh, s.kw);
  }
}

}  // namespace

void onednn_convolution_forward(const ConvolutionShape& s, const float* x, const float* weight, const float* bias,
                                float* y) {
  if (s.n == 0) return;
  std::vector<const float*> tensors{x, weight, y};
  if (bias) tensors.push_back(bias);
  run({Direction::forward, s, bias != nullptr, threads()}, tensors);
}

void onednn_convolution_backward_input(const ConvolutionShape& s, const float* dy, const float* weight, float* dx) {
  if (s.n == 0) return;
  run({Direction::backward_input, s, false, threads()}, {dy, weight, dx});
}

void onednn_convolution_backward_weight(const ConvolutionShape& s, const float* x, const float* dy, float* dweight) {
  if (s.n == 0) {
    std::fill_n(dweight, s.o * s.c / s.groups * s.kh * s.kw, 0.0f);
    return;
  }
  run({Direction::backward_weight, s, false, threads()}, {x, dy, dweight});
}

}  // namespace glimpse::kernels
#endif
