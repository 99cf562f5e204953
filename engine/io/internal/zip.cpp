#include "glimpse/engine/io/internal/zip.h"

#include "glimpse/engine/io/internal/byte_reader.h"

namespace glimpse {
namespace {

// Signatures and the values that say "see the zip64 field", as in PKWARE's APPNOTE.TXT, 4.3.
constexpr std::string_view local_header = "PK\3\4", central_header = "PK\1\2", end_record = "PK\5\6",
                           end_record_64 = "PK\6\6", locator_64 = "PK\6\7";
constexpr std::uint32_t see_64 = 0xffffffffu;
constexpr std::size_t end_record_bytes = 22, locator_64_bytes = 20, longest_comment = 65535;

struct Directory {
  std::uint64_t begin, entries;
};

void expect(ByteReader& reader, std::string_view signature) {
  check(reader.take(signature.size()) == signature, "{}: damaged zip archive at byte {}", reader.path(),
        reader.at() - signature.size());
}

/// The end record stands at the end, before a comment of any length.
std::size_t find_end_record(std::string_view bytes, const std::string& path) {
  for (std::size_t back = end_record_bytes; back <= bytes.size() && back <= end_record_bytes + longest_comment;
       ++back) {
    const std::size_t at = bytes.size() - back;
    if (bytes.substr(at, end_record.size()) != end_record) continue;
    ByteReader reader(bytes.substr(at + end_record_bytes - 2, 2), path);
    if (reader.number<std::uint16_t>() == back - end_record_bytes) return at;
  }
  fail("{}: cut off: the zip archive has no directory", path);
}

Directory find_directory(std::string_view bytes, const std::string& path) {
  const std::size_t end = find_end_record(bytes, path);
  ByteReader reader(bytes, path);
  reader.go_to(end + 10);
  const std::uint64_t entries = reader.number<std::uint16_t>();
  reader.number<std::uint32_t>();  // size of the directory
  const std::uint64_t begin = reader.number<std::uint32_t>();
  if (end < locator_64_bytes || bytes.substr(end - locator_64_bytes, locator_64.size()) != locator_64)
    return {begin, entries};
  reader.go_to(end - locator_64_bytes + 8);
  reader.go_to(reader.number<std::uint64_t>());
  expect(reader, end_record_64);
  reader.take(28);  // sizes and versions, disks, entries on this disk
  const std::uint64_t entries_64 = reader.number<std::uint64_t>();
  reader.number<std::uint64_t>();
  return {reader.number<std::uint64_t>(), entries_64};
}

/// Replaces those of size and place that do not fit 32 bits by the values of the zip64 field. PyTorch stores every
/// entry, so the uncompressed size, which comes first, is the compressed one too.
void read_extra(std::string_view extra, const std::string& path, std::uint64_t& uncompressed, std::uint64_t& compressed,
                std::uint64_t& place) {
  ByteReader reader(extra, path);
  while (extra.size() - reader.at() >= 4) {
    const auto id = reader.number<std::uint16_t>();
    ByteReader field(reader.take(reader.number<std::uint16_t>()), path);
    if (id != 1) continue;
    for (std::uint64_t* value : {&uncompressed, &compressed, &place})
      if (*value == see_64) *value = field.number<std::uint64_t>();
  }
}

/// The next entry of the directory; its name through `name`.
ZipEntry read_entry(ByteReader& reader, std::string_view bytes, std::string& name) {
  const std::string& path = reader.path();
  expect(reader, central_header);
  reader.take(4);  // versions
  const auto flags = reader.number<std::uint16_t>();
  const auto method = reader.number<std::uint16_t>();
  reader.take(8);  // time, check sum
  std::uint64_t compressed = reader.number<std::uint32_t>(), uncompressed = reader.number<std::uint32_t>();
  const auto name_bytes = reader.number<std::uint16_t>();
  const auto extra_bytes = reader.number<std::uint16_t>();
  const auto comment_bytes = reader.number<std::uint16_t>();
  reader.take(8);  // disk, attributes
  std::uint64_t place = reader.number<std::uint32_t>();
  name = reader.take(name_bytes);
  read_extra(reader.take(extra_bytes), path, uncompressed, compressed, place);
  reader.take(comment_bytes);
  check(method == 0 && compressed == uncompressed && (flags & 1) == 0,
        "{}: its entry {:.200} is compressed or encrypted", path, name);

  ByteReader local(bytes, path);
  local.go_to(place);
  expect(local, local_header);
  local.take(22);
  const auto local_name_bytes = local.number<std::uint16_t>();
  const auto local_extra_bytes = local.number<std::uint16_t>();
  check(local.take(local_name_bytes) == name, "{}: damaged zip archive: the entry {:.200} is not where it should be",
        path, name);
  local.take(local_extra_bytes);
  const ZipEntry entry{local.at(), compressed};
  local.take(entry.size);  // throws where it goes past the end
  return entry;
}

}  // namespace

std::map<std::string, ZipEntry> read_zip_directory(std::string_view bytes, const std::string& path) {
  const Directory directory = find_directory(bytes, path);
  ByteReader reader(bytes, path);
  reader.go_to(directory.begin);
  std::map<std::string, ZipEntry> entries;
  for (std::uint64_t i = 0; i < directory.entries; ++i) {
    std::string name;
    const ZipEntry entry = read_entry(reader, bytes, name);
    check(entries.emplace(name, entry).second, "{}: damaged zip archive: two entries {:.200}", path, name);
  }
  return entries;
}

}  // namespace glimpse
