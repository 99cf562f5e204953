// Copies that change the order or the type of elements.

#include "glimpse/kernels/layout.h"

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

}  // namespace

void add_layout(Suite& suite) {
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
  const std::int64_t n = suite.tiny() ? 1000 : std::int64_t{1} << 25;
  suite.add<float>("convert_to_bf16", {{"n", n}}, [=](auto device, auto type, const Rotation& rotation) {
    return convert<bf16>(device, type, n, rotation);
  });
  suite.add<bf16>("convert_to_f32", {{"n", n}}, [=](auto device, auto type, const Rotation& rotation) {
    return convert<float>(device, type, n, rotation);
  });
}

}  // namespace glimpse::bench
