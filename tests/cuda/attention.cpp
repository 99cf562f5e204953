#include "glimpse/kernels/attention/attention.h"
#include "glimpse/kernels/gate.h"

#include "cuda_test.h"

using namespace glimpse;
using namespace glimpse::kernels;
using namespace glimpse::test;

namespace {

struct Sizes {
  std::int64_t images, locations, width, channels;
  std::int64_t queries = 1;  // of each image; 0: a number of its own for each
};

// Around tiles of 32 locations and parts of 16, widths that cannot be read in packs, fewer and more columns than
// threads.
const std::vector<Sizes> cases = {{0, 5, 4, 4},      {1, 1, 1, 1},       {1, 31, 8, 8},       {3, 32, 33, 31},
                                  {2, 33, 40, 24},   {67, 49, 24, 40},   {2, 196, 64, 1032},  {1, 196, 520, 64},
                                  {5, 100, 32, 48},  {3, 20, 16, 24, 5}, {2, 196, 32, 64, 7}, {2, 50, 33, 17, 3},
                                  {4, 40, 16, 32, 0}};

std::string title(const char* name, const Sizes& s) {
  return std::string(name) + " (" + std::to_string(s.images) + "," + std::to_string(s.locations) + "," +
         std::to_string(s.width) + "," + std::to_string(s.channels) + ") with " + std::to_string(s.queries) +
         " queries";
}

/// A problem on both devices. The rows of the queries are shuffled where there are several.
template <class T>
struct Problem {
  using A = Accumulator<T>;
  Sizes sizes;
  std::vector<std::int64_t> first, row;
  std::int64_t queries, query_stride;
  std::vector<T> keys, features, score, query;
  std::vector<double> wide_keys, wide_features, wide_score, wide_query;
  std::vector<std::int32_t> mask;  // empty: none
  DeviceArray<T> keys_d, features_d, score_d, query_d;
  DeviceArray<std::int64_t> first_d, row_d;
  DeviceArray<std::int32_t> mask_d;

  static std::vector<std::int64_t> firsts(const Sizes& s) {
    std::vector<std::int64_t> result = {0};
    for (std::int64_t i = 0; i < s.images; ++i) result.push_back(result.back() + (s.queries ? s.queries : (i * 5) % 8));
    return result;
  }
  static std::vector<std::int64_t> rows(std::int64_t n) {
    std::vector<std::int64_t> result;
    for (std::int64_t i = 0; i < n; ++i) result.push_back((i * 7 + 3) % n);
    if (n % 7 == 0)
      for (std::int64_t i = 0; i < n; ++i) result[i] = n - 1 - i;
    return result;
  }

  /// The first image may be attended to nowhere, the second nowhere before location 70, the others at two places of
  /// three.
  static std::vector<std::int32_t> mask_of(const Sizes& s, bool masked) {
    std::vector<std::int32_t> result;
    for (std::int64_t i = 0; masked && i < s.images; ++i)
      for (std::int64_t l = 0; l < s.locations; ++l) result.push_back(i == 0 ? 0 : i == 1 ? l >= 70 : l % 3);
    return result;
  }

  explicit Problem(const Sizes& s, bool masked = false)
      : sizes(s),
        first(firsts(s)),
        row(rows(first.back())),
        queries(first.back()),
        query_stride(s.width + 3),
        keys(draw<T>(s.images * s.locations * s.width, 1)),
        features(draw<T>(s.images * s.locations * s.channels, 2)),
        score(draw<T>(s.width, 3)),
        query(draw<T>(queries * query_stride, 4)),
        wide_keys(to_double(keys)),
        wide_features(to_double(features)),
        wide_score(to_double(score)),
        wide_query(to_double(query)),
        mask(mask_of(s, masked)),
        keys_d(keys),
        features_d(features),
        score_d(score),
        query_d(query),
        first_d(first),
        row_d(row),
        mask_d(mask) {}

  bool single() const { return sizes.queries == 1; }
  AttentionShape shape(bool on_device) const {
    AttentionShape s{sizes.images, sizes.locations, sizes.width, sizes.channels, nullptr, nullptr, nullptr, queries};
    if (single()) return s;
    s.first = on_device ? first_d.data() : first.data();
    s.row = on_device ? row_d.data() : row.data();
    return s;
  }
  AttentionInputs<double> inputs(Cpu, Activation f) const {
    return {f,
            wide_keys.data(),
            wide_features.data(),
            wide_score.data(),
            wide_query.data(),
            query_stride,
            mask.empty() ? nullptr : mask.data()};
  }
  AttentionInputs<T> inputs(Cuda, Activation f) const {
    return {f,
            keys_d.data(),
            features_d.data(),
            score_d.data(),
            query_d.data(),
            query_stride,
            mask.empty() ? nullptr : mask_d.data()};
  }
};

template <class T>
std::vector<T> rounded(const std::vector<double>& x) {
  std::vector<T> y;
  for (const double v : x) y.push_back(static_cast<T>(static_cast<Accumulator<T>>(v)));
  return y;
}

template <class T>
void check_case(const Sizes& s, Activation f, bool masked = false) {
  using A = Accumulator<T>;
  const Problem<T> p(s, masked);
  const std::int64_t scores = p.queries * s.locations, contexts = p.queries * s.channels;
  std::vector<double> alpha(static_cast<std::size_t>(scores)), context(static_cast<std::size_t>(contexts)),
      log_sum(static_cast<std::size_t>(p.queries));
  attention_forward(Cpu{}, p.shape(false), p.inputs(Cpu{}, f), alpha.data(), context.data(), log_sum.data());
  std::vector<A> got_alpha, got_log_sum;
  const std::vector<T> got = repeated<T>(title("attention_forward", s), [&] {
    const DeviceArray<A> a(scores), sums(p.queries);
    const DeviceArray<T> c(contexts);
    attention_forward(Cuda{}, p.shape(true), p.inputs(Cuda{}, f), a.data(), c.data(), sums.data());
    got_alpha = a.host();
    got_log_sum = sums.host();
    return c.host();
  });
  // Scores are sums of `width` terms with errors of about 1e-7 each in f32, and of as many roundings.
  const double terms = 8 + static_cast<double>(s.width);
  check_close(title("alpha", s), got_alpha, alpha, 1, 2 * terms);
  if (!masked) check_close(title("log_sum", s), got_log_sum, log_sum, 2 * terms, 8);
  check_close(title("context", s), got, context, sizeof(T) == 2 ? 2 : terms, 4);

  const std::vector<T> dcontext = draw<T>(contexts, 5);
  const std::vector<A> dalpha = draw<A>(scores, 6), kept = rounded<A>(alpha), dlog_sum = draw<A>(p.queries, 9);
  std::vector<double> descore(alpha.size()), dquery(p.query.size(), 0.0);
  const std::vector<double> wide_dalpha = to_double(dalpha), wide_kept = to_double(kept),
                            wide_dcontext = to_double(dcontext), wide_dlog_sum = to_double(dlog_sum);
  attention_backward(Cpu{}, p.shape(false), p.inputs(Cpu{}, f),
                     {wide_kept.data(), wide_dcontext.data(), wide_dalpha.data(), descore.data(), dquery.data(),
                      p.query_stride, wide_dlog_sum.data()});
  std::vector<A> got_descore;
  const std::vector<T> got_dquery = repeated<T>(title("attention_backward", s), [&] {
    const DeviceArray<A> a(kept), da(dalpha), de(scores), dsum(dlog_sum);
    const DeviceArray<T> dc(dcontext), dq(std::vector<T>(p.query.size(), T(0.0f)));
    attention_backward(Cuda{}, p.shape(true), p.inputs(Cuda{}, f),
                       {a.data(), dc.data(), da.data(), de.data(), dq.data(), p.query_stride, dsum.data()});
    got_descore = de.host();
    return dq.host();
  });
  const double reach = 16 + static_cast<double>(s.channels);
  check_close(title("descore", s), got_descore, descore, reach, 16);
  check_close(title("dquery", s), got_dquery, dquery, sizeof(T) == 2 ? 2 : 4 * reach, 16);
}

template <class T>
void check_gradients(const Sizes& s, Activation f) {
  using A = Accumulator<T>;
  const Problem<T> p(s);
  const std::vector<A> weights = draw<A>(p.queries * s.locations, 7);
  const std::vector<T> dcontext = draw<T>(p.queries * s.channels, 8);
  const std::vector<double> wide_weights = to_double(weights), wide_dcontext = to_double(dcontext);
  std::vector<double> dkeys(p.keys.size()), dscore(p.score.size()), dfeatures(p.features.size()),
      workspace(static_cast<std::size_t>(s.images * s.width));
  attention_backward_keys(Cpu{}, p.shape(false), p.inputs(Cpu{}, f), wide_weights.data(), dkeys.data(), dscore.data(),
                          workspace.data());
  attention_backward_features(Cpu{}, p.shape(false), wide_weights.data(), wide_dcontext.data(), dfeatures.data());
  std::vector<A> got_dscore;
  const std::vector<T> got_dkeys = repeated<T>(title("attention_backward_keys", s), [&] {
    const DeviceArray<A> w(weights), ds(s.width);
    const DeviceArray<T> dk(static_cast<std::int64_t>(p.keys.size()));
    attention_backward_keys(Cuda{}, p.shape(true), p.inputs(Cuda{}, f), w.data(), dk.data(), ds.data(),
                            static_cast<T*>(nullptr));
    got_dscore = ds.host();
    return dk.host();
  });
  const double terms = static_cast<double>(p.queries);
  check_close(title("dkeys", s), got_dkeys, dkeys, sizeof(T) == 2 ? 2 : 64 + terms, 8);
  check_close(title("dscore", s), got_dscore, dscore, 16 + terms * static_cast<double>(s.locations), 8);
  check_close(title("dfeatures", s),
              repeated<T>(title("attention_backward_features", s),
                          [&] {
                            const DeviceArray<A> w(weights);
                            const DeviceArray<T> dc(dcontext), df(static_cast<std::int64_t>(p.features.size()));
                            attention_backward_features(Cuda{}, p.shape(true), w.data(), dc.data(), df.data());
                            return df.host();
                          }),
              dfeatures, sizeof(T) == 2 ? 2 : 16 + terms, 8);
}

template <class T>
void check_gate(std::int64_t queries, std::int64_t channels, std::int64_t width) {
  const std::string what =
      "gate (" + std::to_string(queries) + "," + std::to_string(channels) + "," + std::to_string(width) + ")";
  const std::int64_t stride = width + 3;
  const std::vector<T> bias = draw<T>(width, 1), gate = draw<T>(queries * stride, 2),
                       context = draw<T>(queries * channels, 3), dgated = draw<T>(queries * channels, 4);
  std::vector<double> gate_out = to_double(gate), gated(context.size()), dcontext(context.size()),
                      dgate(gate.size(), 0.0);
  gate_forward<double>(Cpu{}, {queries, channels, width, to_double(bias).data(), gate_out.data(), stride,
                               to_double(context).data(), gated.data()});
  std::vector<T> got_gate;
  const std::vector<T> got = repeated<T>(what, [&] {
    const DeviceArray<T> b(bias), g(gate), c(context), z(queries * channels);
    gate_forward<T>(Cuda{}, {queries, channels, width, b.data(), g.data(), stride, c.data(), z.data()});
    got_gate = g.host();
    return z.host();
  });
  check_close(what + " gate", got_gate, gate_out, 4, 8);
  check_close(what + " gated", got, gated, 4, 8);

  const std::vector<T> kept = got_gate;
  gate_backward<double>(Cpu{}, {queries, channels, width, to_double(kept).data(), stride, to_double(context).data(),
                                to_double(dgated).data(), dcontext.data(), dgate.data(), stride});
  std::vector<T> got_dgate;
  const std::vector<T> got_dcontext = repeated<T>(what + " backward", [&] {
    const DeviceArray<T> g(kept), c(context), dz(dgated), dg(std::vector<T>(gate.size(), T(0.0f)));
    gate_backward<T>(Cuda{},
                     {queries, channels, width, g.data(), stride, c.data(), dz.data(), dz.data(), dg.data(), stride});
    got_dgate = dg.host();
    return dz.host();
  });
  check_close(what + " dcontext", got_dcontext, dcontext, 4, 8);
  check_close(what + " dgate", got_dgate, dgate, sizeof(T) == 2 ? 4 : 16 + static_cast<double>(channels), 16);
}

}  // namespace

TEST_CASE("additive attention, forward and backward") {
  for (const Sizes& s : cases)
    for (const Activation f : {Activation::tanh, Activation::relu})
      for_each_type([&](auto type, const char*) { check_case<decltype(type)>(s, f); });
}

TEST_CASE("attention in images whose scores are far apart") {
  // 3000 and 0: e^x of one image has no place in the other's sums.
  const Sizes s{2, 70, 8, 8};
  Problem<float> p(s);
  for (std::size_t i = 0; i < p.keys.size(); ++i) p.keys[i] = i < p.keys.size() / 2 ? -100.0f : 100.0f;
  p.wide_keys = to_double(p.keys);
  p.score.assign(8, 4.0f);
  p.wide_score = to_double(p.score);
  const DeviceArray<float> keys(p.keys), score(p.score), alpha(140), context(16);
  AttentionInputs<float> in = p.inputs(Cuda{}, Activation::relu);
  in.keys = keys.data();
  in.score = score.data();
  attention_forward(Cuda{}, p.shape(true), in, alpha.data(), context.data());
  std::vector<double> truth(140), wide_context(16);
  attention_forward(Cpu{}, p.shape(false), p.inputs(Cpu{}, Activation::relu), truth.data(), wide_context.data());
  check_close("alpha", alpha.host(), truth, 16, 16);
  check_close("context", context.host(), wide_context, 16, 16);
}

TEST_CASE("attention to some locations only, or to none") {
  for (const Sizes& s : std::vector<Sizes>{{1, 5, 8, 8}, {4, 33, 9, 7}, {3, 196, 24, 40, 5}, {67, 9, 4, 4}})
    for_each_type([&](auto type, const char*) { check_case<decltype(type)>(s, Activation::tanh, true); });
}

TEST_CASE("attention, the gradients that are summed over queries") {
  for (const Sizes& s : std::vector<Sizes>{{0, 5, 4, 4},
                                           {1, 1, 1, 1},
                                           {2, 31, 33, 31},
                                           {3, 32, 32, 32, 5},
                                           {2, 33, 24, 40, 70},
                                           {67, 9, 12, 20},
                                           {2, 17, 520, 600},
                                           {1, 196, 16, 20, 3},
                                           {4, 20, 16, 32, 0}})
    for (const Activation f : {Activation::tanh, Activation::relu})
      for_each_type([&](auto type, const char*) { check_gradients<decltype(type)>(s, f); });
}

TEST_CASE("attention to images named by an index") {
  const Sizes s{3, 20, 16, 24};
  const Problem<float> p(s);
  const std::vector<std::int64_t> image = {2, 0, 2};
  const DeviceArray<std::int64_t> image_d(image);
  AttentionShape host = p.shape(false), device = p.shape(true);
  host.image = image.data();
  device.image = image_d.data();
  std::vector<double> alpha(60), context(72);
  attention_forward(Cpu{}, host, p.inputs(Cpu{}, Activation::tanh), alpha.data(), context.data());
  const DeviceArray<float> a(60), c(72);
  attention_forward(Cuda{}, device, p.inputs(Cuda{}, Activation::tanh), a.data(), c.data());
  check_close("context of indexed images", c.host(), context, 16, 8);
}

TEST_CASE("attention where one score is far above all others") {
  const Sizes s{1, 100, 8, 8};
  Problem<float> p(s);
  std::vector<float> keys(800, -1.0f), score(8, 40.0f);
  for (std::size_t i = 77 * 8; i < 78 * 8; ++i) keys[i] = 5;
  const DeviceArray<float> keys_d(keys), score_d(score), a(100), c(8);
  AttentionInputs<float> in = p.inputs(Cuda{}, Activation::relu);
  in.keys = keys_d.data();
  in.score = score_d.data();
  attention_forward(Cuda{}, p.shape(true), in, a.data(), c.data());
  CHECK(a.host()[77] == 1.0f);
  check_close("context is the feature", c.host(),
              std::vector<double>(p.wide_features.begin() + 77 * 8, p.wide_features.begin() + 78 * 8), 0, 1);
}

TEST_CASE("the gate of the context, forward and backward") {
  for (const std::int64_t queries : {0, 1, 67})
    for (const std::int64_t channels : {1, 33, 196, 1000})
      for (const std::int64_t width : {std::int64_t{1}, channels})
        for_each_type([&](auto type, const char*) { check_gate<decltype(type)>(queries, channels, width); });
}
