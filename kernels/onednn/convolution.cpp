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

/// Threads run one primitive at the same time, so each brings working memory of its own.
dnnl::primitive_attr own_scratchpad() {
  dnnl::primitive_attr attributes;
  attributes.set_scratchpad_mode(dnnl::scratchpad_mode::user);
  return attributes;
}

/// One tensor of a primitive: the plain layout that it comes in, and the one that oneDNN chose.
struct Argument {
  int id;
  bool result;
  dnnl::memory::desc plain, chosen;
  dnnl::primitive reorder;  // between the two, where they differ
  dnnl::memory::desc reorder_scratchpad;

  Argument(int argument, bool is_result, const dnnl::memory::desc& from, const dnnl::memory::desc& to)
      : id(argument), result(is_result), plain(from), chosen(to) {
    if (plain == chosen) return;
    const dnnl::memory::desc &source = result ? chosen : plain, &target = result ? plain : chosen;
    const dnnl::reorder::primitive_desc d(onednn::engine(), source, onednn::engine(), target, own_scratchpad());
    reorder = dnnl::reorder(d);
    reorder_scratchpad = d.scratchpad_desc();
  }
};

struct Prepared {
  dnnl::primitive primitive;
  dnnl::memory::desc scratchpad;
  std::vector<Argument> arguments;
};

std::int64_t image_size(const ConvolutionShape& s) { return s.c * s.h * s.w; }
std::int64_t output_size(const ConvolutionShape& s) { return s.o * s.out_h() * s.out_w(); }

enum class Direction { forward, backward_input, backward_weight };

struct Key {
  Direction direction;
  ConvolutionShape shape;
  bool with_bias;
  bool operator==(const Key&) const = default;
};

Prepared prepare(const Key& key) {
  const ConvolutionShape& s = key.shape;
  const dnnl::memory::dims x_sizes{s.n, s.c, s.h, s.w}, y_sizes{s.n, s.o, s.out_h(), s.out_w()};
  const dnnl::memory::desc x = f32(x_sizes, Tag::nchw), y = f32(y_sizes, Tag::nchw);
  const dnnl::memory::desc weight = onednn::Convolution::plain_weight(s);
  const onednn::Convolution convolution(s, f32(x_sizes, Tag::any), f32(y_sizes, Tag::any), key.with_bias);
  const dnnl::primitive_attr attributes = own_scratchpad();
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
    for (const Argument& a : p->arguments)
      if (a.reorder) bytes += rounded(a.chosen.get_size()) + rounded(a.reorder_scratchpad.get_size());
    char* free_memory = onednn::scratch(bytes);
    const auto take = [&](const dnnl::memory::desc& desc) {
      dnnl::memory memory(desc, onednn::engine(), free_memory);
      free_memory += rounded(desc.get_size());
      return memory;
    };
    dnnl::stream& stream = onednn::stream();
    const auto run_reorder = [&](const Argument& a, const dnnl::memory& from, const dnnl::memory& to) {
      a.reorder.execute(stream,
                        {{DNNL_ARG_FROM, from}, {DNNL_ARG_TO, to}, {DNNL_ARG_SCRATCHPAD, take(a.reorder_scratchpad)}});
    };
    std::unordered_map<int, dnnl::memory> arguments{{DNNL_ARG_SCRATCHPAD, take(p->scratchpad)}};
    std::vector<dnnl::memory> plain;
    for (std::size_t i = 0; i < p->arguments.size(); ++i) {
      const Argument& a = p->arguments[i];
      plain.emplace_back(a.plain, onednn::engine(), const_cast<float*>(tensors[i]));
      const dnnl::memory chosen = a.reorder ? take(a.chosen) : plain[i];
      arguments.emplace(a.id, chosen);
      if (a.reorder && !a.result) run_reorder(a, plain[i], chosen);
    }
    p->primitive.execute(stream, arguments);
    for (std::size_t i = 0; i < p->arguments.size(); ++i) {
      const Argument& a = p->arguments[i];
      if (a.reorder && a.result) run_reorder(a, arguments.at(a.id), plain[i]);
    }
    stream.wait();
  } catch (const dnnl::error& e) {
    const ConvolutionShape& s = key.shape;
    fail("convolution: oneDNN: {} (x ({},{},{},{}), weight ({},{},{},{}))", e.what(), s.n, s.c, s.h, s.w, s.o,
         s.c / s.groups, s.kh, s.kw);
  }
}

/// Calls work(part, its first image, its images) for parts of a batch, one a thread.
template <class Work>
void share_images(std::int64_t n, const Work& work) {
  const std::int64_t parts = std::min<std::int64_t>(threads(), n);
  parallel_for_each(parts, [&](std::int64_t p) {
    const onednn::OneThread one_thread;
    work(p, n * p / parts, n * (p + 1) / parts - n * p / parts);
  });
}

}  // namespace

void onednn_convolution_forward(const ConvolutionShape& s, const float* x, const float* weight, const float* bias,
                                float* y) {
  share_images(s.n, [&](std::int64_t, std::int64_t first, std::int64_t images) {
    ConvolutionShape part = s;
    part.n = images;
    std::vector<const float*> tensors{x + first * image_size(s), weight, y + first * output_size(s)};
    if (bias) tensors.push_back(bias);
    run({Direction::forward, part, bias != nullptr}, tensors);
  });
}

void onednn_convolution_backward_input(const ConvolutionShape& s, const float* dy, const float* weight, float* dx) {
  share_images(s.n, [&](std::int64_t, std::int64_t first, std::int64_t images) {
    ConvolutionShape part = s;
    part.n = images;
    run({Direction::backward_input, part, false}, {dy + first * output_size(s), weight, dx + first * image_size(s)});
  });
}

void onednn_convolution_backward_weight(const ConvolutionShape& s, const float* x, const float* dy, float* dweight) {
  const std::int64_t size = s.o * s.c / s.groups * s.kh * s.kw;
  if (s.n == 0) {
    std::fill_n(dweight, size, 0.0f);
    return;
  }
  // Each part of the batch has its own sum; the first one's is the result's place.
  std::vector<float> sums(static_cast<std::size_t>(size * (std::min<std::int64_t>(threads(), s.n) - 1)));
  share_images(s.n, [&](std::int64_t p, std::int64_t first, std::int64_t images) {
    ConvolutionShape part = s;
    part.n = images;
    run({Direction::backward_weight, part, false},
        {x + first * image_size(s), dy + first * output_size(s), p == 0 ? dweight : sums.data() + (p - 1) * size});
  });
  for (std::size_t i = 0; i < sums.size(); ++i) dweight[i % static_cast<std::size_t>(size)] += sums[i];
}

}  // namespace glimpse::kernels
#endif
