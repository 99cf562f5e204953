// What a vocabulary is part of: cross-entropy, the likeliest words, embeddings.

#include "glimpse/kernels/cross_entropy.h"
#include "glimpse/kernels/embedding.h"
#include "glimpse/kernels/topk.h"
#include "suite.h"

namespace glimpse::bench {
namespace {

constexpr std::int32_t nothing_ignored = -1;

struct Words {
  std::int64_t rows, vocabulary;
  double elements() const { return static_cast<double>(rows * vocabulary); }
};

template <class Device, class T>
Subject cross_entropy_forward(Device device, T, const Words& w, const Rotation& rotation) {
  const Cost cost = {w.elements() * sizeof(T) + static_cast<double>(w.rows) * (4 + 8 + 8), 10 * w.elements()};
  const Lab lab(device, cost, rotation);
  const auto host = draw<T>(w.rows * w.vocabulary, 1, 2);
  const auto host_target = draw_words(w.rows, w.vocabulary, 2);
  const auto logits = lab.input(host);
  const auto target = lab.shared_input(host_target);
  const auto log_sum = lab.template output<double>(w.rows), loss = lab.template output<double>(w.rows);
  return {cost, lab.sets(),
          [=](int set) {
            kernels::cross_entropy_forward(device, w.rows, w.vocabulary, logits[set], {target[0], nothing_ignored, 0},
                                           log_sum[set], loss[set]);
          },
          [=] {
            auto true_log_sum = zeros(w.rows), true_loss = zeros(w.rows);
            kernels::cross_entropy_forward(Cpu{}, w.rows, w.vocabulary, widened(host).data(),
                                           {host_target.data(), nothing_ignored, 0}, true_log_sum.data(),
                                           true_loss.data());
            return std::max(log_sum.error(true_log_sum), loss.error(true_loss));
          }};
}

template <class Device, class T>
Subject cross_entropy_backward(Device device, T, const Words& w, const Rotation& rotation) {
  const Cost cost = {2 * w.elements() * sizeof(T) + static_cast<double>(w.rows) * (4 + 8), 10 * w.elements()};
  const Lab lab(device, cost, rotation);
  const auto host = draw<T>(w.rows * w.vocabulary, 1, 2);
  const auto host_target = draw_words(w.rows, w.vocabulary, 2);
  const double scale = 1 / static_cast<double>(w.rows);
  auto host_log_sum = zeros(w.rows), loss = zeros(w.rows);
  const auto wide = widened(host);
  kernels::cross_entropy_forward(Cpu{}, w.rows, w.vocabulary, wide.data(), {host_target.data(), nothing_ignored, 0},
                                 host_log_sum.data(), loss.data());
  const auto logits = lab.input(host), dloss = lab.shared_input(std::vector<T>{T(1.0f)});
  const auto target = lab.shared_input(host_target);
  const auto log_sum = lab.input(host_log_sum);
  const auto dlogits = lab.template output<T>(w.rows * w.vocabulary);
  return {cost, lab.sets(),
          [=](int set) {
            kernels::cross_entropy_backward<T>(device, {w.rows,
                                                        w.vocabulary,
                                                        logits[set],
                                                        {target[0], nothing_ignored, 0},
                                                        log_sum[set],
                                                        scale,
                                                        dloss[0],
                                                        dlogits[set]});
          },
          [=] {
            auto truth = zeros(w.rows * w.vocabulary);
            const double one = 1;
            const auto again = widened(host);
            kernels::cross_entropy_backward<double>(Cpu{}, {w.rows,
                                                            w.vocabulary,
                                                            again.data(),
                                                            {host_target.data(), nothing_ignored, 0},
                                                            host_log_sum.data(),
                                                            scale,
                                                            &one,
                                                            truth.data()});
            return dlogits.error(truth);
          }};
}

template <class Device, class T>
Subject topk(Device device, T, const Words& w, std::int64_t k, const Rotation& rotation) {
  const Cost cost = {w.elements() * sizeof(T) + static_cast<double>(w.rows * k) * 12, 20 * w.elements()};
  const Lab lab(device, cost, rotation);
  const auto host = draw<T>(w.rows * w.vocabulary, 1, 2);
  const std::vector<std::int32_t> host_banned = {0, 1};
  const auto logits = lab.input(host);
  const auto banned = lab.shared_input(host_banned);
  const auto value = lab.template output<double>(w.rows * k);
  const auto index = lab.template output<std::int32_t>(w.rows * k);
  return {cost, lab.sets(),
          [=](int set) {
            kernels::log_softmax_topk<T>(device,
                                         {w.rows, w.vocabulary, k, logits[set], banned[0], 2, value[set], index[set]});
          },
          [=] {
            auto true_value = zeros(w.rows * k);
            std::vector<std::int32_t> true_index(static_cast<std::size_t>(w.rows * k));
            const auto wide = widened(host);
            kernels::log_softmax_topk<double>(Cpu{}, {w.rows, w.vocabulary, k, wide.data(), host_banned.data(), 2,
                                                      true_value.data(), true_index.data()});
            // Equal logits come in the order of their ids on every device, so the words must be the very same.
            return index.host() == true_index ? value.error(true_value) : 1.0;
          }};
}

template <class Device, class T>
Subject gather(Device device, T, const Words& w, std::int64_t width, const Rotation& rotation) {
  const double moved = static_cast<double>(w.rows * width) * sizeof(T);
  const Cost cost = {2 * moved + 4 * static_cast<double>(w.rows), 0};
  const Lab lab(device, cost, rotation, static_cast<double>(w.vocabulary * width) * sizeof(T));
  const auto host = draw<T>(w.vocabulary * width, 1);
  const auto host_index = draw_words(w.rows, w.vocabulary, 2);
  const auto table = lab.input(host), y = lab.template output<T>(w.rows * width);
  const auto index = lab.shared_input(host_index);
  return {cost, lab.sets(), [=](int set) { kernels::gather_rows(device, w.rows, width, table[set], index[0], y[set]); },
          [=] {
            auto truth = zeros(w.rows * width);
            const auto wide = widened(host);
            kernels::gather_rows(Cpu{}, w.rows, width, wide.data(), host_index.data(), truth.data());
            return y.error(truth);
          }};
}

template <class Device, class T>
Subject sum_by_index(Device device, T, const Words& w, std::int64_t width, const Rotation& rotation) {
  const Cost cost = {static_cast<double>((w.rows + w.vocabulary) * width) * sizeof(T) + 4 * static_cast<double>(w.rows),
                     static_cast<double>(w.rows * width)};
  const Lab lab(device, cost, rotation);
  const auto host = draw<T>(w.rows * width, 1);
  const auto host_index = draw_words(w.rows, w.vocabulary, 2);
  const auto dy = lab.input(host), dx = lab.template output<T>(w.vocabulary * width);
  const auto index = lab.shared_input(host_index);
  return {cost, lab.sets(),
          [=](int set) { kernels::sum_rows_by_index(device, w.vocabulary, w.rows, width, dy[set], index[0], dx[set]); },
          [=] {
            auto truth = zeros(w.vocabulary * width);
            const auto wide = widened(host);
            kernels::sum_rows_by_index(Cpu{}, w.vocabulary, w.rows, width, wide.data(), host_index.data(),
                                       truth.data());
            return dx.error(truth);
          }};
}

void add_rows(Suite& suite) {
  // Words of a batch of 64 and of 256 captions; a vocabulary whose rows can be read 16 bytes at a time.
  const std::vector<Words> batches = suite.tiny()
                                         ? std::vector<Words>{{5, 300}}
                                         : std::vector<Words>{{755, 2541}, {755, 9490}, {3020, 9490}, {3020, 9504}};
  const std::int64_t width = suite.tiny() ? 16 : 512;
  for (const Words& w : batches) {
    const Sizes sizes = {{"N", w.rows}, {"V", w.vocabulary}},
                with_width = {{"N", w.rows}, {"V", w.vocabulary}, {"E", width}};
    suite.add<float, bf16>("cross_entropy_forward", sizes, [=](auto device, auto type, const Rotation& rotation) {
      return cross_entropy_forward(device, type, w, rotation);
    });
    suite.add<float, bf16>("cross_entropy_backward", sizes, [=](auto device, auto type, const Rotation& rotation) {
      return cross_entropy_backward(device, type, w, rotation);
    });
    suite.add<float, bf16>("embedding_forward", with_width, [=](auto device, auto type, const Rotation& rotation) {
      return gather(device, type, w, width, rotation);
    });
    suite.add<float, bf16>("embedding_backward", with_width, [=](auto device, auto type, const Rotation& rotation) {
      return sum_by_index(device, type, w, width, rotation);
    });
  }
  // Beams of 32 and of 256 images.
  const std::vector<Words> beams =
      suite.tiny() ? std::vector<Words>{{5, 300}} : std::vector<Words>{{160, 2541}, {160, 9490}, {1280, 9490}};
  for (const Words& w : beams)
    suite.add<float, bf16>(
        "log_softmax_topk", {{"rows", w.rows}, {"V", w.vocabulary}, {"k", 5}},
        [=](auto device, auto type, const Rotation& rotation) { return topk(device, type, w, 5, rotation); });
}

const RowRegistrar registrar(add_rows);

}  // namespace
}  // namespace glimpse::bench
