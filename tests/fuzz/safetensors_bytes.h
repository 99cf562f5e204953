#pragma once
// Safetensors files with a length that fits their header, for targets that change one.

#include <cstring>
#include <string>

#include "fuzz.h"

namespace glimpse::fuzz {

/// Changes the header or the data; the length in front is that of the header.
inline std::string mutate_safetensors(const std::string& bytes, std::uint32_t random) {
  std::uint64_t length = 0;
  if (bytes.size() < sizeof length) return mutated(bytes);
  std::memcpy(&length, bytes.data(), sizeof length);
  if (length > bytes.size() - sizeof length || random % 16 == 0) return mutated(bytes);
  std::string header = bytes.substr(sizeof length, length), data = bytes.substr(sizeof length + length);
  if (random % 8 == 1)
    data = mutated(data);
  else
    header = mutated(header);
  length = header.size();
  return std::string(reinterpret_cast<const char*>(&length), sizeof length) + header + data;
}

}  // namespace glimpse::fuzz
