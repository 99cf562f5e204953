#include "glimpse/kernels/topk.h"

#include <limits>

#include "cuda_test.h"
#include "glimpse/kernels/base/error.h"

using namespace glimpse;
using namespace glimpse::kernels;
using namespace glimpse::test;

namespace {

constexpr double lowest = -std::numeric_limits<double>::infinity();

struct Case {
  std::int64_t rows, vocabulary, k;
  std::vector<std::int32_t> banned;
};

/// Logits with many equal ones and some of -inf.
template <class T>
std::vector<T> logits_of(const Case& c) {
  std::vector<T> x = draw<T>(c.rows * c.vocabulary, static_cast<std::uint64_t>(c.vocabulary), 2);
  scatter(x, 6, lowest, 1);
  scatter(x, 5, 1.25, 2);
  scatter(x, 9, 7.5, 3);
  return x;
}

template <class T>
void check_case(const Case& c) {
  const std::string what = "log_softmax_topk (" + std::to_string(c.rows) + "," + std::to_string(c.vocabulary) + "," +
                           std::to_string(c.k) + ")";
  const std::vector<T> x = logits_of<T>(c);
  const auto banned_count = static_cast<std::int64_t>(c.banned.size()), n = c.rows * c.k;
  std::vector<double> value(static_cast<std::size_t>(n));
  std::vector<std::int32_t> index(value.size());
  log_softmax_topk<double>(Cpu{}, {c.rows, c.vocabulary, c.k, to_double(x).data(), c.banned.data(), banned_count,
                                   value.data(), index.data()});
  std::vector<double> got_value;
  const std::vector<std::int32_t> got_index = repeated<std::int32_t>(what, [&] {
    const DeviceArray<T> in(x);
    const DeviceArray<std::int32_t> banned(c.banned), i(n);
    const DeviceArray<double> v(n);
    log_softmax_topk<T>(Cuda{},
                        {c.rows, c.vocabulary, c.k, in.data(), banned.data(), banned_count, v.data(), i.data()});
    got_value = v.host();
    return i.host();
  });
  check_same(what + " words", got_index, index);
  check_close(what + " log probabilities", got_value, value, 64 + sum_errors<T>(c.vocabulary), 16,
              sizeof(T) == 2 ? eps<float>() : eps<T>());
}

}  // namespace

TEST_CASE("the likeliest words, equal ones by their ids") {
  const std::vector<Case> cases = {{0, 5, 2, {}},       {1, 1, 1, {}},          {1, 1, 3, {0}},
                                   {67, 31, 5, {1, 3}}, {67, 32, 3, {0, 1, 3}}, {5, 33, 40, {32}},
                                   {3, 196, 10, {}},    {2, 2541, 5, {1, 3}},   {1, 9490, 5, {1}},
                                   {1, 10241, 5, {}},   {1, 10304, 5, {10303}}};
  for (const Case& c : cases) for_each_type([&](auto type, const char*) { check_case<decltype(type)>(c); });
}

TEST_CASE("the rank of a target among the words of its row") {
  for (const Case& c : std::vector<Case>{
           {0, 5, 0, {}}, {1, 1, 0, {}}, {67, 31, 0, {}}, {67, 32, 0, {}}, {5, 1000, 0, {}}, {2, 2541, 0, {}}})
    for_each_type([&](auto type, const char*) {
      using T = decltype(type);
      const std::vector<T> x = logits_of<T>(c);
      const std::vector<std::int32_t> target = draw_words(c.rows, static_cast<std::int32_t>(c.vocabulary), 3);
      std::vector<std::int32_t> rank(target.size());
      rank_of_target(Cpu{}, c.rows, c.vocabulary, to_double(x).data(), target.data(), rank.data());
      const std::vector<std::int32_t> got = repeated<std::int32_t>("rank_of_target", [&] {
        const DeviceArray<T> in(x);
        const DeviceArray<std::int32_t> words(target), out(c.rows);
        rank_of_target(Cuda{}, c.rows, c.vocabulary, in.data(), words.data(), out.data());
        return out.host();
      });
      check_same("rank_of_target", got, rank);
    });
}

TEST_CASE("a vocabulary that 32 bits cannot count is an error") {
  const std::int64_t vocabulary = std::numeric_limits<std::int32_t>::max() - std::int64_t{4095};
  const float* logits = nullptr;
  CHECK_THROWS_AS((log_softmax_topk<float>(Cuda{}, {1, vocabulary, 1, logits, nullptr, 0, nullptr, nullptr})), Error);
  CHECK_THROWS_AS(rank_of_target(Cuda{}, 1, vocabulary, logits, nullptr, nullptr), Error);
}
