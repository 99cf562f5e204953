#pragma once
// The frame of the fuzz targets: tests/fuzz/NAME.cpp defines one Target and becomes the program fuzz_NAME. main.cpp
// joins it to libFuzzer.

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace glimpse::fuzz {

struct Target {
  /// Reads `bytes` as the reader of the format does. An Error is an answer; anything else that is thrown, a sanitizer's
  /// complaint, and more time or memory than run.sh allows are faults.
  void (*read)(std::string_view bytes);
  /// Small whole files to begin with.
  std::vector<std::string> (*seeds)();
  /// One change that keeps what would otherwise stop every reader at the first bytes: lengths and checksums. Null: any.
  std::string (*mutate)(const std::string& bytes, std::uint32_t random) = nullptr;
};

/// What the file of a target defines.
extern const Target target;

/// libFuzzer's own change of bytes, which grow by `growth` at most: for mutate() to use on a part.
std::string mutated(std::string bytes, std::size_t growth = 16);

/// Files of a folder, for seeds.
std::vector<std::string> files_in(const std::string& folder);

}  // namespace glimpse::fuzz
