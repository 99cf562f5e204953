// Copies that change the order or the type of elements, and the bytes of images.

#include "glimpse/kernels/layout.h"

#include "glimpse/kernels/image_normalize.h"
#include "suite.h"

namespace glimpse::bench {
namespace {

/// (B,C,P) to (B,P,C).
template <class Device, class T>
Subject transpose(Device device, T, std::int64_t batch, std::int64_t channels, std::int64_t places,
                  const Rotation& rotation) {
  const std::int64_t n = batch * channels * places;
  const Cost cost = {2.0 * static_cast<double>(n) * sizeof(T), 0};
  const kernels::StridedView view{3, {batch, places, channels}, {channels * places, 1, places}};
  const Lab lab(device, cost, rotation);
  const auto host = draw<T>(n, 1);
  const auto x = lab.input(host), y = lab.template output<T>(n);
  return {cost, lab.sets(), [=](int set) { kernels::permute(device, view, x[set], y[set]); },
          [=] {
            auto truth = zeros(n);
            kernels::permute(Cpu{}, view, widened(host).data(), truth.data());
            return y.error(truth);
          }};
}

template <class To, class Device, class From>
Subject convert(Device device, From, std::int64_t n, const Rotation& rotation) {
  const Cost cost = {static_cast<double>(n) * (sizeof(From) + sizeof(To)), 0};
  const Lab lab(device, cost, rotation);
  const auto host = draw<From>(n, 1);
  const auto x = lab.input(host);
  const auto y = lab.template output<To>(n);
  return {cost, lab.sets(), [=](int set) { kernels::convert(device, n, x[set], y[set]); },
          [=] {
            std::vector<To> truth(host.size());
            kernels::convert(Cpu{}, n, host.data(), truth.data());
            return y.error(widened(truth));
          }};
}

/// Bytes of images to what a network sees.
template <class Device, class T>
Subject normalize(Device device, T, std::int64_t images, std::int64_t pixels, const Rotation& rotation) {
  const std::int64_t n = images * pixels * 3;
  const Cost cost = {static_cast<double>(n) * (1 + sizeof(T)), 3.0 * static_cast<double>(n)};
  const kernels::Normalization normalization{{0.485f, 0.456f, 0.406f}, {0.229f, 0.224f, 0.225f}};
  const Lab lab(device, cost, rotation);
  std::vector<std::uint8_t> host;
  for (const std::int32_t level : draw_words(n, 256, 1)) host.push_back(static_cast<std::uint8_t>(level));
  const auto rgb = lab.input(host);
  const auto y = lab.template output<T>(n);
  return {cost, lab.sets(),
          [=](int set) { kernels::image_normalize(device, images, pixels, normalization, rgb[set], y[set]); },
          [=] {
            std::vector<float> truth(host.size());
            kernels::image_normalize(Cpu{}, images, pixels, normalization, host.data(), truth.data());
            return y.error(widened(truth));
          }};
}

void add_rows(Suite& suite) {
  struct Planes {
    std::int64_t batch, channels, places;
  };
  const std::vector<Planes> shapes = suite.tiny()
                                         ? std::vector<Planes>{{2, 40, 33}}
                                         : std::vector<Planes>{{256, 2048, 49}, {256, 512, 196}, {64, 64, 3136}};
  for (const Planes& p : shapes)
    suite.add<float, bf16>("channels_last", {{"B", p.batch}, {"C", p.channels}, {"P", p.places}},
                           [=](auto device, auto type, const Rotation& rotation) {
                             return transpose(device, type, p.batch, p.channels, p.places, rotation);
                           });
  const std::int64_t images = suite.tiny() ? 2 : 256, pixels = suite.tiny() ? 35 : 224 * 224;
  suite.add<float>("image_normalize", {{"images", images}, {"pixels", pixels}},
                   [=](auto device, auto type, const Rotation& rotation) {
                     return normalize(device, type, images, pixels, rotation);
                   });
  const std::int64_t n = suite.tiny() ? 1000 : std::int64_t{1} << 25;
  suite.add<float>("convert_to_bf16", {{"n", n}}, [=](auto device, auto type, const Rotation& rotation) {
    return convert<bf16>(device, type, n, rotation);
  });
  suite.add<bf16>("convert_to_f32", {{"n", n}}, [=](auto device, auto type, const Rotation& rotation) {
    return convert<float>(device, type, n, rotation);
  });
}

const RowRegistrar registrar(add_rows);

}  // namespace
}  // namespace glimpse::bench
