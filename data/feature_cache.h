#pragma once
// The features of a frozen encoder, computed once per image and kept in one file.

#include <cstdint>
#include <functional>
#include <memory>
#include <span>
#include <string>
#include <unordered_map>
#include <vector>

#include "glimpse/engine/tensor.h"

namespace glimpse {

/// What features depend on. Each part is kept in the file and compared, so that a stale cache says what has changed.
struct FeatureKey {
  std::string images;         ///< hash_images of the files that were encoded
  std::string encoder;        ///< description of the network: name, stage, grid
  std::string weights;        ///< hash_file of its weights
  std::string preprocessing;  ///< size, mean, std
  std::string views = {};     ///< of each image besides the first: views_text (image_views.h)
};

/// A hash of bytes, 32 hexadecimal digits. Tells changes, not attacks.
std::string hash_bytes(const void* data, std::size_t bytes);
/// hash_bytes of a whole file. Throws Error when it cannot be read.
std::string hash_file(const std::string& path);
/// A hash of images: of each its name and its whole content. paths[i] is where the image named filenames[i] lies.
/// Throws Error when one cannot be read.
std::string hash_images(const std::vector<std::string>& filenames, const std::vector<std::string>& paths);

/// A safetensors file with one tensor "features" (V N,L,D), f16 or f32, of V views of N images: first of all images the
/// first view, then of all the second. Its metadata hold the image names and the key. The file is mapped, not read:
/// rows come from the disk when they are used.
class FeatureCache {
 public:
  /// Features of rows [begin,end) -> (end-begin,L,D) f32 or the cache's type. Row r is view r / N of image r % N.
  using Encode = std::function<Tensor(std::int64_t begin, std::int64_t end)>;
  /// Called after each batch.
  using Progress = std::function<void(std::int64_t done, std::int64_t total)>;

  struct BuildOptions {
    DType dtype = DType::f16;
    std::int64_t batch_size = 32;
    Progress progress;
  };

  /// Opens a cache, whatever its key. Throws Error when the file is not one.
  explicit FeatureCache(const std::string& path);

  /// Encodes all images, in the views that the key names, in batches and writes them row by row; the file appears at
  /// once and complete, a kill before leaves none under its name. Throws Error for a batch of another shape, for values
  /// that are not finite or too large for f16 (naming the image), and what `encode` throws.
  static FeatureCache build(const std::string& path, const FeatureKey& key, const std::vector<std::string>& filenames,
                            const Encode& encode, const BuildOptions& options);
  /// Why the file at `path` cannot serve `key` and `filenames` (all must be in it) in `dtype`: missing, damaged, or
  /// which part of the key differs; "" if it can. A file with further views can.
  static std::string why_stale(const std::string& path, const FeatureKey& key,
                               const std::vector<std::string>& filenames, DType dtype = DType::f16);

  std::int64_t size() const { return std::ssize(filenames_); }  ///< N
  int views() const { return views_; }                          ///< V
  std::int64_t locations() const { return features_.size(1); }  ///< L
  std::int64_t channels() const { return features_.size(2); }   ///< D
  DType dtype() const { return features_.dtype(); }
  /// All of them, (N,L,D), on the mapped file.
  const Tensor& features() const { return features_; }
  const FeatureKey& key() const { return key_; }
  const std::vector<std::string>& filenames() const { return filenames_; }

  /// The row of an image in its first view. Throws Error when it is not in the cache.
  std::int64_t row(const std::string& filename) const;
  /// That of another view of the same image.
  std::int64_t row_of_view(std::int64_t first, int view) const { return first + view * size(); }
  /// The features of some rows -> (B,L,D) f32. Throws Error for a row that does not exist.
  Tensor gather(std::span<const std::int64_t> rows) const;
  /// The same into existing memory y (B,L,D).
  void gather(std::span<const std::int64_t> rows, float* y) const;

 private:
  std::string path_;
  Tensor features_;  // (V N,L,D), on the mapping
  int views_ = 1;
  FeatureKey key_;
  std::vector<std::string> filenames_;
  std::unordered_map<std::string, std::int64_t> rows_;
};

}  // namespace glimpse
