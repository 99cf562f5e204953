// Orientation in EXIF (CIPA DC-008, 4.6.4): a TIFF header, then a directory of entries of 12 bytes.
#include "glimpse/data/internal/image_header.h"

namespace glimpse {

int exif_orientation(std::string_view exif) {
  constexpr std::int64_t orientation_tag = 0x0112, short_type = 3;
  if (exif.starts_with(std::string_view("Exif\0\0", 6))) exif.remove_prefix(6);
  const bool big_endian = exif.starts_with(std::string_view("MM\0*", 4));
  if (!big_endian && !exif.starts_with(std::string_view("II*\0", 4))) return 1;
  const auto number = [&](std::size_t offset, std::size_t count) {
    return offset + count > exif.size() ? std::int64_t{-1} : read_number(exif, offset, count, big_endian);
  };
  const std::int64_t directory = number(4, 4);
  if (directory < 0) return 1;
  const std::int64_t entries = number(static_cast<std::size_t>(directory), 2);
  for (std::int64_t i = 0; i < entries; ++i) {
    const std::size_t entry = static_cast<std::size_t>(directory + 2 + 12 * i);
    const std::int64_t tag = number(entry, 2);
    if (tag < 0) return 1;
    if (tag != orientation_tag) continue;
    const std::int64_t value = number(entry + 8, 2);
    const bool known = number(entry + 2, 2) == short_type && value >= 1 && value <= 8;
    return known ? static_cast<int>(value) : 1;
  }
  return 1;
}

}  // namespace glimpse
