#pragma once
// The directory of a zip archive whose entries are stored without compression.

#include <cstdint>
#include <map>
#include <string>
#include <string_view>

namespace glimpse {

/// Where an entry's bytes lie in the archive.
struct ZipEntry {
  std::uint64_t begin = 0, size = 0;
};

/// Reads the directory (zip64 too) of the archive `bytes`; `path` is for messages. Throws Error for a damaged archive
/// and for compressed or encrypted entries. Check sums are not verified.
std::map<std::string, ZipEntry> read_zip_directory(std::string_view bytes, const std::string& path);

}  // namespace glimpse
