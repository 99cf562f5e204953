// The feature cache: what goes in comes out, stale ones are told, and no half file is left.
#include <cmath>
#include <cstring>
#include <limits>

#include "catch.h"
#include "error_of.h"
#include "glimpse/data/feature_cache.h"
#include "glimpse/engine/io/safetensors.h"
#include "glimpse/kernels/base/error.h"
#include "scratch_folder.h"

using namespace glimpse;
using glimpse::test::error_of;

namespace {

constexpr std::int64_t locations = 3, channels = 5;

std::vector<std::string> names(std::int64_t count) {
  std::vector<std::string> result;
  for (std::int64_t i = 0; i < count; ++i) result.push_back("image " + std::to_string(i) + ".jpg");
  return result;
}

/// Value j of image i; exact in f16.
float value(std::int64_t image, std::int64_t j) { return static_cast<float>(image) - static_cast<float>(j) / 8; }

Tensor encode(std::int64_t begin, std::int64_t end) {
  std::vector<float> values;
  for (std::int64_t i = begin; i < end; ++i)
    for (std::int64_t j = 0; j < locations * channels; ++j) values.push_back(value(i, j));
  return from_vector(values, {end - begin, locations, channels});
}

const FeatureKey key{"images 1", "resnet18 layer3", "weights 1", "squash 224"};

bool contains(const std::string& text, const std::string& part) { return text.find(part) != std::string::npos; }

}  // namespace

TEST_CASE("a cache gives back the features of each image") {
  const ScratchFolder folder;
  for (const DType dtype : {DType::f16, DType::f32}) {
    std::vector<std::int64_t> progress;
    FeatureCache::BuildOptions options{dtype, 4, [&](std::int64_t done, std::int64_t total) {
                                         progress.push_back(done);
                                         CHECK(total == 10);
                                       }};
    const std::string path = folder / name_of(dtype);
    FeatureCache::build(path, key, names(10), encode, options);
    CHECK(progress == std::vector<std::int64_t>{4, 8, 10});
    const FeatureCache cache(path);
    CHECK(cache.size() == 10);
    CHECK(cache.locations() == locations);
    CHECK(cache.channels() == channels);
    CHECK(cache.dtype() == dtype);
    CHECK(cache.filenames() == names(10));
    CHECK(cache.key().encoder == key.encoder);
    const std::vector<std::int64_t> rows = {cache.row("image 7.jpg"), 0, 9, 7};
    const Tensor y = cache.gather(rows);
    CHECK(y.shape() == Shape{4, locations, channels});
    const std::vector<float> values = y.to_vector<float>();
    for (std::size_t b = 0; b < rows.size(); ++b)
      for (std::int64_t j = 0; j < locations * channels; ++j)
        CHECK(values[b * locations * channels + static_cast<std::size_t>(j)] == value(rows[b], j));
    CHECK(contains(error_of([&] { cache.row("other.jpg"); }), "holds no features of other.jpg"));
    CHECK_THROWS_AS(cache.gather(std::vector<std::int64_t>{10}), Error);
    CHECK_THROWS_AS(cache.gather(std::vector<std::int64_t>{-1}), Error);
  }
}

TEST_CASE("every f16 number is widened exactly") {
  const ScratchFolder folder;
  Tensor all({1, 64, 1024}, DType::f16, Device::cpu);
  for (int bits = 0; bits < 65536; ++bits) all.data<f16>()[bits].bits = static_cast<std::uint16_t>(bits);
  write_safetensors(folder / "all", {{"features", all}}, {{"files", R"(["a"])"}});
  const std::vector<float> wide = FeatureCache(folder / "all").gather(std::vector<std::int64_t>{0}).to_vector<float>();
  int wrong = 0;
  for (int bits = 0; bits < 65536; ++bits) {
    const float expected = static_cast<float>(all.data<f16>()[bits]), received = wide[bits];
    const bool same = std::isnan(expected) ? std::isnan(received) : std::memcmp(&expected, &received, 4) == 0;
    wrong += !same;
  }
  CHECK(wrong == 0);
}

TEST_CASE("a stale cache says what has changed") {
  const ScratchFolder folder;
  const std::string path = folder / "cache";
  CHECK(FeatureCache::why_stale(path, key, names(3)) == "does not exist");
  FeatureCache::build(path, key, names(3), encode, {});
  CHECK(FeatureCache::why_stale(path, key, names(3)).empty());
  CHECK(FeatureCache::why_stale(path, key, names(2)).empty());
  CHECK(contains(FeatureCache::why_stale(path, key, names(4)), "does not hold image 3.jpg"));
  CHECK(contains(FeatureCache::why_stale(path, key, names(3), DType::f32), "holds f16, not f32"));
  for (std::string FeatureKey::*part :
       {&FeatureKey::images, &FeatureKey::encoder, &FeatureKey::weights, &FeatureKey::preprocessing}) {
    FeatureKey other = key;
    other.*part = "something else";
    const std::string reason = FeatureCache::why_stale(path, other, names(3));
    INFO(reason);
    CHECK(contains(reason, key.*part));
    CHECK(contains(reason, "something else"));
  }
  const std::string whole = read_text_file(path);
  const std::string cut = folder.file("cut", whole.substr(0, whole.size() - 10));
  CHECK(contains(FeatureCache::why_stale(cut, key, names(3)), "cut: "));
}

TEST_CASE("a cache holds several views of each image, and serves who needs fewer") {
  const ScratchFolder folder;
  const std::string path = folder / "cache";
  const auto with = [](const std::string& views) {
    FeatureKey result = key;
    result.views = views;
    return result;
  };
  const FeatureKey two = with("mirrored"), three = with("mirrored, top left 7/8");
  FeatureCache::build(path, two, names(3), encode, {DType::f32, 2, {}});  // a batch holds two views
  const FeatureCache cache(path);
  CHECK(cache.size() == 3);
  CHECK(cache.views() == 2);
  const std::int64_t first = cache.row("image 2.jpg");
  const std::vector<std::int64_t> rows{first, cache.row_of_view(first, 1)};
  const std::vector<float> values = cache.gather(rows).to_vector<float>();
  CHECK(values[0] == value(2, 0));
  CHECK(values[locations * channels] == value(3 + 2, 0));
  CHECK_THROWS_AS(cache.gather(std::vector<std::int64_t>{6}), Error);

  const auto stale = [&](const FeatureKey& wanted) {
    return FeatureCache::why_stale(path, wanted, names(3), DType::f32);
  };
  CHECK(stale(two).empty());
  CHECK(stale(key).empty());
  CHECK(stale(three) == "holds 2 views of each image, not 3");
  CHECK(stale(with("turned")) == "made with other views: 'mirrored', now 'turned'");

  // As files were written before there were views.
  write_safetensors(path, {{"features", zeros({3, 2, 2})}},
                    {{"files", R"(["image 0.jpg","image 1.jpg","image 2.jpg"])"},
                     {"images", key.images},
                     {"encoder", key.encoder},
                     {"weights", key.weights},
                     {"preprocessing", key.preprocessing}});
  CHECK(stale(key).empty());
  CHECK(stale(two) == "holds 1 view of each image, not 2");
  FeatureCache::build(folder / "one", key, names(3), encode, {});
  CHECK_FALSE(read_safetensors(folder / "one").metadata.contains("views"));

  // A bad row is that of an image, whatever the view.
  const auto bad = [](std::int64_t begin, std::int64_t end) {
    Tensor x = encode(begin, end);
    if (begin <= 4 && end > 4) x.data<float>()[(4 - begin) * locations * channels] = std::nanf("");
    return x;
  };
  CHECK(contains(error_of([&] { FeatureCache::build(path, two, names(3), bad, {}); }), "features of image 1.jpg"));
}

TEST_CASE("files that are no caches are refused") {
  const ScratchFolder folder;
  const Tensor x = zeros({2, 3, 5});
  const auto message = [&](const std::string& name, const Tensor& tensor, const Metadata& metadata) {
    write_safetensors(folder / "x", {{name, tensor}}, metadata);
    return error_of([&] { FeatureCache(folder / "x"); });
  };
  CHECK(contains(message("weights", x, {{"files", R"(["a","b"])"}}), "x: no feature cache: expected a tensor"));
  CHECK(contains(message("features", zeros({6, 5}), {{"files", R"(["a","b"])"}}), "expected a tensor"));
  CHECK(contains(message("features", zeros({2, 3, 5}, DType::i32), {{"files", R"(["a","b"])"}}), "expected a tensor"));
  CHECK(contains(message("features", x, {}), "no 'files'"));
  CHECK(contains(message("features", x, {{"files", "a, b"}}), "x: no feature cache: files: "));
  CHECK(contains(message("features", x, {{"files", R"({"a": "b"})"}}), "no list of names"));
  CHECK(contains(message("features", x, {{"files", R"(["a"])"}}), "1 names for 2 images"));
  CHECK(contains(message("features", x, {{"files", R"(["a","b"])"}, {"views", "mirrored"}}),
                 "2 names for 2 images in 2 views"));
}

TEST_CASE("a build that fails leaves no file, and names the image that is to blame") {
  const ScratchFolder folder;
  const std::string path = folder / "cache";
  const auto build = [&](const FeatureCache::Encode& encoder, DType dtype = DType::f16) {
    return error_of([&] { FeatureCache::build(path, key, names(5), encoder, {dtype, 2, {}}); });
  };
  const auto with = [](std::int64_t image, float bad) {
    return [=](std::int64_t begin, std::int64_t end) {
      Tensor x = encode(begin, end);
      if (image >= begin && image < end) x.data<float>()[(image - begin) * locations * channels + 3] = bad;
      return x;
    };
  };
  CHECK(contains(build(with(3, std::nanf(""))), "image 3.jpg"));
  CHECK(contains(build(with(4, 70000.0f)), "image 4.jpg hold values that are not finite in f16"));
  CHECK(contains(build(with(4, std::numeric_limits<float>::infinity()), DType::f32), "image 4.jpg"));
  CHECK(contains(build([](std::int64_t begin, std::int64_t) { return encode(begin, begin + 1); }), "expected (2,L,D)"));
  CHECK(contains(build([](std::int64_t, std::int64_t) { return Tensor(); }), "made nothing"));
  CHECK(contains(build([](std::int64_t begin, std::int64_t end) {
                   return begin == 0 ? encode(begin, end) : zeros({end - begin, locations, channels + 1});
                 }),
                 "(3,6) of images 2 to 3, and (3,5)"));
  CHECK(contains(build([](std::int64_t begin, std::int64_t end) -> Tensor {
                   if (begin == 2) throw Error("image 2.jpg: truncated");
                   return encode(begin, end);
                 }),
                 "image 2.jpg: truncated"));
  CHECK(folder.entries().empty());
  CHECK(build(with(0, 70000.0f), DType::f32) == "no error");
  CHECK(folder.entries() == std::vector<std::string>{"cache"});
  CHECK_THROWS_AS(FeatureCache::build(path, key, {}, encode, {}), Error);
  CHECK_THROWS_AS(FeatureCache::build(path, key, names(1), encode, {DType::f64, 2, {}}), Error);
}

TEST_CASE("hashes tell changes of content, names and sizes") {
  const ScratchFolder folder;
  const std::string content(50000, 'x');
  const std::string a = folder.file("a", content), b = folder.file("b", content);
  CHECK(hash_file(a) == hash_file(b));
  CHECK(hash_file(a).size() == 32);
  CHECK(hash_file(a) == hash_bytes(content.data(), content.size()));
  CHECK(hash_file(folder.file("empty", "")) == hash_bytes(nullptr, 0));
  const std::string before = hash_images({"a", "b"}, {a, b});
  CHECK(before == hash_images({"a", "b"}, {b, a}));  // places do not matter
  CHECK(before != hash_images({"b", "a"}, {a, b}));
  CHECK(before != hash_images({"a"}, {a}));
  // A changed byte anywhere, and a byte more.
  for (const std::size_t place : {0u, 15000u, 25000u, 49999u}) {
    std::string changed = content;
    changed[place] = 'y';
    folder.file("a", changed);
    CHECK(before != hash_images({"a", "b"}, {a, b}));
    CHECK(hash_file(a) != hash_file(b));
  }
  folder.file("a", content + "x");
  CHECK(before != hash_images({"a", "b"}, {a, b}));
  // Zeros at the end are content too.
  CHECK(hash_bytes("\0\0", 1) != hash_bytes("\0\0", 2));
  CHECK(contains(error_of([&] { hash_images({"z"}, {folder / "z"}); }), "z: No such file"));
  CHECK_THROWS_AS(hash_images({"folder"}, {folder.path()}), Error);
  CHECK_THROWS_AS(hash_file(folder / "z"), Error);
}
