#include "glimpse/kernels/base/philox.h"
#include "op_case.h"

namespace glimpse::test {
namespace {

/// sizes: elements, percent that is dropped.
const OpCaseRegistrar dropout_case({
    .name = "dropout",
    .sizes = {{0, 50}, {1, 50}, {31, 10}, {32, 50}, {33, 90}, {1000, 50}, {70000, 30}, {33, 0}, {33, 100}},
    .inputs = [](const Sizes& s, Draw& draw) { return Tensors{draw.normal({s[0]})}; },
    .run =
        [](const Sizes& s, const Tensors& in) {
          Generator generator({.seed = 5, .position = 1000});
          return Tensors{dropout(in[0], static_cast<double>(s[1]) / 100, generator)};
        },
    .reference =
        [](const Sizes& s, const Tensors& in) {
          const double p = static_cast<double>(s[1]) / 100;
          Tensor y = empty_like(in[0]);
          for (std::int64_t i = 0; i < s[0]; ++i) {
            const std::uint32_t random = kernels::philox(5, 1000 + static_cast<std::uint64_t>(i / 4)).v[i % 4];
            const bool kept = static_cast<double>(random) * 0x1p-32 >= p;
            at(y, i) = kept ? at(in[0], i) / (1 - p) : 0;
          }
          return Tensors{y};
        },
    .bench_sizes = {{1 << 22, 50}},
});

}  // namespace
}  // namespace glimpse::test
