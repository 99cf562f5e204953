#include "glimpse/data/feature_cache.h"

#include <bit>
#include <cmath>
#include <cstring>
#include <filesystem>
#include <nlohmann/json.hpp>
#include <optional>

#include "glimpse/data/image_views.h"
#include "glimpse/engine/io/internal/json.h"
#include "glimpse/engine/io/safetensors.h"
#include "glimpse/kernels/base/check.h"
#include "glimpse/kernels/base/parallel.h"

namespace glimpse {
namespace {

constexpr const char* tensor_name = "features";
constexpr const char* files_name = "files";

/// The parts of a key under the names that they have in the metadata.
struct KeyPart {
  const char* name;
  std::string FeatureKey::*member;
};
constexpr KeyPart key_parts[] = {{"images", &FeatureKey::images},
                                 {"encoder", &FeatureKey::encoder},
                                 {"weights", &FeatureKey::weights},
                                 {"preprocessing", &FeatureKey::preprocessing},
                                 {"views", &FeatureKey::views}};

Metadata to_metadata(const FeatureKey& key, const std::vector<std::string>& filenames) {
  Metadata metadata;
  metadata[files_name] = nlohmann::json(filenames).dump(-1, ' ', false, nlohmann::json::error_handler_t::replace);
  for (const KeyPart& part : key_parts)
    if (const std::string& text = key.*part.member; !text.empty()) metadata[part.name] = text;
  return metadata;
}

/// Why a part of a file's key is not the one that is wanted, or "".
std::string difference(const KeyPart& part, const std::string& there, const std::string& wanted) {
  const bool of_views = part.member == &FeatureKey::views;
  if (of_views ? there.starts_with(wanted) : there == wanted) return "";
  const int held = count_views(there), needed = count_views(wanted);
  if (of_views && held < needed)
    return fmt::format("holds {} view{} of each image, not {}", held, held == 1 ? "" : "s", needed);
  return fmt::format("made with other {}: '{}', now '{}'", part.name, there, wanted);
}

/// y[i] = x[i], i < n, for all values of f16; without branches, so that the compiler makes vectors of it.
void widen(std::int64_t n, const f16* x, float* y) {
#pragma omp simd
  for (std::int64_t i = 0; i < n; ++i) {
    const std::uint32_t bits = x[i].bits, magnitude = (bits & 0x7fffu) << 13;
    // The exponent counts from -15 in f16 and from -127 in f32; the product also makes subnormal numbers normal.
    const std::uint32_t finite = std::bit_cast<std::uint32_t>(std::bit_cast<float>(magnitude) * 0x1p112f);
    const std::uint32_t value = magnitude >= 0x0f800000u ? (magnitude | 0x7f800000u) : finite;
    y[i] = std::bit_cast<float>(value | ((bits & 0x8000u) << 16));
  }
}

/// The first row of x (n,...) with a value that is not finite, or -1.
std::int64_t first_bad_row(const Tensor& x) {
  const std::int64_t rows = x.size(0), width = rows == 0 ? 0 : x.numel() / rows;
  const auto bad = [&](const auto* values) {
    for (std::int64_t i = 0; i < rows * width; ++i)
      if (!std::isfinite(static_cast<float>(values[i]))) return i / width;
    return std::int64_t{-1};
  };
  return x.dtype() == DType::f16 ? bad(x.data<f16>()) : bad(x.data<float>());
}

}  // namespace

FeatureCache::FeatureCache(const std::string& path) : path_(path) {
  SafetensorsFile file = read_safetensors(path);
  for (const NamedTensor& tensor : file.tensors)
    if (tensor.name == tensor_name) features_ = tensor.tensor;
  check(features_.defined() && features_.rank() == 3 && (dtype() == DType::f16 || dtype() == DType::f32),
        "{}: no feature cache: expected a tensor '{}' (N,L,D) of f16 or f32", path, tensor_name);
  const auto files = file.metadata.find(files_name);
  check(files != file.metadata.end(), "{}: no feature cache: its metadata have no '{}'", path, files_name);
  try {
    filenames_ = parse_json(files->second, path + ": no feature cache: " + files_name).get<std::vector<std::string>>();
  } catch (const nlohmann::json::exception&) {
    fail("{}: no feature cache: '{}' of its metadata is no list of names", path, files_name);
  }
  for (const KeyPart& part : key_parts) {
    const auto found = file.metadata.find(part.name);
    if (found != file.metadata.end()) key_.*part.member = found->second;
  }
  views_ = count_views(key_.views);
  check(views_ * size() == features_.size(0), "{}: damaged feature cache: {} names for {} images{}", path, size(),
        features_.size(0), views_ == 1 ? "" : fmt::format(" in {} views", views_));
  for (std::int64_t i = 0; i < size(); ++i) rows_.emplace(filenames_[i], i);
}

FeatureCache FeatureCache::build(const std::string& path, const FeatureKey& key,
                                 const std::vector<std::string>& filenames, const Encode& encode,
                                 const BuildOptions& options) {
  const std::int64_t images = std::ssize(filenames), total = images * count_views(key.views);
  check(total > 0, "{}: a feature cache of no images", path);
  check(options.batch_size >= 1, "{}: batch size {}, expected at least 1", path, options.batch_size);
  check(options.dtype == DType::f16 || options.dtype == DType::f32, "{}: a feature cache is f16 or f32, not {}", path,
        name_of(options.dtype));
  std::optional<SafetensorsWriter> writer;  // opened when the first batch has shown L and D
  Shape row;
  for (std::int64_t begin = 0; begin < total; begin += options.batch_size) {
    const std::int64_t end = std::min(begin + options.batch_size, total);
    const Tensor features = encode(begin, end);
    check(features.defined() && features.rank() == 3 && features.size(0) == end - begin,
          "{}: the encoder made {} of {} images, expected ({},L,D)", path,
          features.defined() ? features.shape().str() : "nothing", end - begin, end - begin);
    if (!writer) {
      row = features.shape().without(0);
      const Shape all{total, row[0], row[1]};
      writer.emplace(path, tensor_name, all, options.dtype, to_metadata(key, filenames));
    }
    check(features.shape().without(0) == row, "{}: the encoder made {} of images {} to {}, and {} of those before",
          path, features.shape().without(0).str(), begin, end - 1, row.str());
    const Tensor stored = features.to(options.dtype);
    const std::int64_t bad = first_bad_row(stored);
    check(bad < 0, "{}: the features of {} hold values that are not finite in {}", path,
          bad < 0 ? "" : filenames[(begin + bad) % images], name_of(options.dtype));
    writer->append(stored);
    if (options.progress) options.progress(end, total);
  }
  writer->finish();
  return FeatureCache(path);
}

std::string FeatureCache::why_stale(const std::string& path, const FeatureKey& key,
                                    const std::vector<std::string>& filenames, DType dtype) {
  std::error_code error;
  if (!std::filesystem::exists(path, error)) return "does not exist";
  try {
    const FeatureCache cache(path);
    for (const KeyPart& part : key_parts) {
      const std::string reason = difference(part, cache.key_.*part.member, key.*part.member);
      if (!reason.empty()) return reason;
    }
    if (cache.dtype() != dtype) return fmt::format("holds {}, not {}", name_of(cache.dtype()), name_of(dtype));
    for (const std::string& name : filenames)
      if (!cache.rows_.contains(name)) return fmt::format("does not hold {}", name);
    return "";
  } catch (const Error& damage) {
    return damage.what();
  }
}

std::int64_t FeatureCache::row(const std::string& filename) const {
  const auto found = rows_.find(filename);
  check(found != rows_.end(), "{}: holds no features of {}", path_, filename);
  return found->second;
}

void FeatureCache::gather(std::span<const std::int64_t> rows, float* y) const {
  const std::int64_t count = features_.size(0);
  for (const std::int64_t row : rows) check(row >= 0 && row < count, "{}: no row {} among {}", path_, row, count);
  const std::int64_t width = locations() * channels();
  kernels::parallel_for(std::ssize(rows), 1, [&](std::int64_t begin, std::int64_t end) {
    for (std::int64_t i = begin; i < end; ++i) {
      const std::int64_t from = rows[i] * width;
      if (dtype() == DType::f16)
        widen(width, features_.data<f16>() + from, y + i * width);
      else
        std::memcpy(y + i * width, features_.data<float>() + from, static_cast<std::size_t>(width) * sizeof(float));
    }
  });
}

Tensor FeatureCache::gather(std::span<const std::int64_t> rows) const {
  Tensor y({std::ssize(rows), locations(), channels()}, DType::f32, Device::cpu);
  gather(rows, y.data<float>());
  return y;
}

}  // namespace glimpse
