// Hashes that tell whether files have changed.
#include <bit>
#include <cstring>

#include "glimpse/data/feature_cache.h"
#include "glimpse/engine/io/file.h"
#include "glimpse/kernels/base/check.h"
#include "glimpse/kernels/base/parallel.h"

namespace glimpse {
namespace {

/// Mixes a 64-bit word (the finaliser of SplitMix64: Steele, Lea, Flood, OOPSLA 2014).
std::uint64_t mix(std::uint64_t x) {
  x = (x ^ (x >> 30)) * 0xbf58476d1ce4e5b9u;
  x = (x ^ (x >> 27)) * 0x94d049bb133111ebu;
  return x ^ (x >> 31);
}

/// Four lanes that each take a 64-bit word of every 32 bytes, so that the processor works on four at once.
struct Hasher {
  std::uint64_t lanes[4] = {0x243f6a8885a308d3u, 0x13198a2e03707344u, 0xa4093822299f31d0u, 0x082efa98ec4e6c89u};
  std::uint64_t length = 0;

  void add(const void* data, std::size_t bytes) {
    const char* next = static_cast<const char*>(data);
    length += bytes;
    for (; bytes >= 32; bytes -= 32, next += 32) add_block(next);
    char rest[32] = {};
    if (bytes > 0) std::memcpy(rest, next, bytes);
    add_block(rest);
  }

  std::string hex() const {
    std::uint64_t low = mix(length), high = mix(~length);
    for (const std::uint64_t lane : lanes) {
      low = mix(low + lane);
      high = mix(high ^ std::rotl(lane, 32)) + low;
    }
    return fmt::format("{:016x}{:016x}", high, low);
  }

 private:
  void add_block(const char* block) {
    std::uint64_t words[4];
    std::memcpy(words, block, 32);
    for (int i = 0; i < 4; ++i) lanes[i] = std::rotl((lanes[i] ^ words[i]) * 0x9e3779b97f4a7c15u, 29) + lanes[i];
  }
};

}  // namespace

std::string hash_bytes(const void* data, std::size_t bytes) {
  Hasher hasher;
  hasher.add(data, bytes);
  return hasher.hex();
}

std::string hash_file(const std::string& path) {
  const MappedFile file(path);
  return hash_bytes(file.data(), file.size());
}

std::string hash_images(const std::vector<std::string>& filenames, const std::vector<std::string>& paths) {
  check(filenames.size() == paths.size(), "hash_images: {} names and {} paths", filenames.size(), paths.size());
  std::vector<std::string> hashes(paths.size()), errors(paths.size());
  kernels::parallel_for(std::ssize(paths), 64, [&](std::int64_t begin, std::int64_t end) {
    for (std::int64_t i = begin; i < end; ++i) {
      const std::size_t place = static_cast<std::size_t>(i);
      try {
        hashes[place] = hash_file(paths[place]);
      } catch (const Error& error) {
        errors[place] = error.what();
      }
    }
  });
  Hasher all;
  for (std::size_t i = 0; i < paths.size(); ++i) {
    if (!errors[i].empty()) throw Error(errors[i]);
    all.add(filenames[i].data(), filenames[i].size());
    all.add(hashes[i].data(), hashes[i].size());
  }
  return all.hex();
}

}  // namespace glimpse
