// The sizes that the pictures of a HEIF or AVIF file state: those of its boxes may be smaller than what is decoded.
#include <algorithm>
#include <map>
#include <string>
#include <vector>

#include "glimpse/data/internal/image_header.h"
#include "glimpse/kernels/base/check.h"

namespace glimpse {
namespace {

using Bytes = std::string_view;

/// Reads big-endian numbers of whole bytes one after the other. Throws Error past the end.
class ByteReader {
 public:
  explicit ByteReader(Bytes bytes) : rest_(bytes) {}

  std::int64_t number(std::size_t count) {
    check(count <= 8, "broken HEIF: a number of {} bytes", count);
    const std::int64_t value = read_number(rest_, 0, count, true);
    rest_.remove_prefix(count);
    return value;
  }
  Bytes take(std::int64_t count) {
    check(count >= 0 && count <= std::ssize(rest_), "truncated: a box ends before its content");
    const Bytes taken = rest_.substr(0, count);
    rest_.remove_prefix(taken.size());
    return taken;
  }
  Bytes rest() const { return rest_; }
  bool empty() const { return rest_.empty(); }

 private:
  Bytes rest_;
};

/// Reads bits, the highest of a byte first; zeros past the end, as decoders do.
class BitReader {
 public:
  explicit BitReader(Bytes bytes) : bytes_(bytes) {}

  std::int64_t bits(int count) {
    std::int64_t value = 0;
    for (int i = 0; i < count; ++i, ++at_) {
      const std::size_t byte = at_ / 8;
      const unsigned bit = byte < bytes_.size() ? static_cast<std::uint8_t>(bytes_[byte]) >> (7 - at_ % 8) & 1u : 0u;
      value = value << 1 | bit;
    }
    return value;
  }
  void skip(std::size_t count) { at_ += count; }
  /// Exp-Golomb's code (ITU-T H.265, 9.2) and uvlc() of AV1 (4.10.3), which are the same.
  std::int64_t exponential() {
    int zeros = 0;
    while (at_ < 8 * bytes_.size() && zeros < 32 && bits(1) == 0) ++zeros;
    return (std::int64_t{1} << zeros) - 1 + bits(zeros);
  }

 private:
  Bytes bytes_;
  std::size_t at_ = 0;
};

/// Calls take(type, content) for each box (ISO/IEC 14496-12, 4.2).
template <class Take>
void each_box(Bytes bytes, Take take) {
  while (bytes.size() >= 8) {
    ByteReader reader(bytes);
    std::int64_t size = reader.number(4), head = 8;
    const Bytes type = reader.take(4);
    if (size == 1) {
      size = reader.number(8);
      head = 16;
    } else if (size == 0) {
      size = std::ssize(bytes);
    }
    check(size >= head, "broken HEIF: a box of {} bytes", size);
    size = std::min<std::int64_t>(size, std::ssize(bytes));
    take(type, bytes.substr(head, size - head));
    bytes.remove_prefix(size);
  }
}

/// Pixels of a frame of AV1 at most (AV1 Bitstream & Decoding Process Specification, 5.5.1).
std::int64_t pixels_of_sequence_header(Bytes obu) {
  BitReader reader(obu);
  reader.skip(4);  // profile, still picture
  if (reader.bits(1)) {
    reader.skip(5);
  } else {
    bool decoder_model = false;
    std::size_t delay_bits = 0;
    if (reader.bits(1)) {
      reader.skip(64);
      if (reader.bits(1)) reader.exponential();
      if ((decoder_model = reader.bits(1))) {
        delay_bits = static_cast<std::size_t>(reader.bits(5)) + 1;
        reader.skip(42);
      }
    }
    const bool display_delay = reader.bits(1);
    for (std::int64_t points = reader.bits(5) + 1; points > 0; --points) {
      reader.skip(12);
      if (reader.bits(5) > 7) reader.skip(1);
      if (decoder_model && reader.bits(1)) reader.skip(2 * delay_bits + 1);
      if (display_delay && reader.bits(1)) reader.skip(4);
    }
  }
  const int width_bits = static_cast<int>(reader.bits(4)) + 1, height_bits = static_cast<int>(reader.bits(4)) + 1;
  const std::int64_t width = reader.bits(width_bits) + 1;
  return width * (reader.bits(height_bits) + 1);
}

/// The largest sequence header of a stream of AV1 (5.3).
std::int64_t pixels_of_av1(Bytes stream) {
  std::int64_t largest = 0;
  while (!stream.empty()) {
    ByteReader reader(stream);
    const std::int64_t head = reader.number(1);
    if (head & 4) reader.number(1);
    std::int64_t size = std::ssize(reader.rest());
    if (head & 2) {
      size = 0;
      std::int64_t byte = 128;
      for (int shift = 0; byte & 128; shift += 7) {
        check(shift < 56, "broken AV1: a length of more than eight bytes");
        byte = reader.number(1);
        size |= (byte & 127) << shift;
      }
    }
    const Bytes content = reader.take(std::min<std::int64_t>(size, std::ssize(reader.rest())));
    if ((head >> 3 & 15) == 1) largest = std::max(largest, pixels_of_sequence_header(content));
    stream = reader.rest();
  }
  return largest;
}

/// Pixels that a unit of HEVC states, 0 for all but sequence parameter sets (ITU-T H.265, 7.3.2.2).
std::int64_t pixels_of_hevc_unit(Bytes unit) {
  constexpr int sequence_parameters = 33;
  if (unit.size() < 3 || (static_cast<std::uint8_t>(unit[0]) >> 1 & 63) != sequence_parameters) return 0;
  constexpr std::size_t enough = 256;  // bytes: the sizes stand near the beginning
  std::string payload;                 // without the bytes that keep start codes out (7.4.1)
  for (const char byte : unit.substr(2, enough))
    if (!(byte == 3 && payload.ends_with(std::string_view("\0\0", 2)))) payload += byte;
  BitReader reader(payload);
  reader.skip(4);
  const std::int64_t sub_layers = reader.bits(3);
  reader.skip(1 + 88 + 8);
  std::size_t sub_layer_bits = 0;
  for (std::int64_t i = 0; i < sub_layers; ++i) {
    if (reader.bits(1)) sub_layer_bits += 88;
    if (reader.bits(1)) sub_layer_bits += 8;
  }
  if (sub_layers > 0) reader.skip(2 * static_cast<std::size_t>(8 - sub_layers));
  reader.skip(sub_layer_bits);
  reader.exponential();
  if (reader.exponential() == 3) reader.skip(1);
  const std::int64_t width = reader.exponential();
  return std::min(width, std::int64_t{1} << 31) * std::min(reader.exponential(), std::int64_t{1} << 31);
}

/// The largest of a stream of units with their lengths before them.
std::int64_t pixels_of_hevc(Bytes stream) {
  std::int64_t largest = 0;
  for (ByteReader reader(stream); reader.rest().size() > 4;) {
    const std::int64_t size = reader.number(4);
    largest = std::max(largest, pixels_of_hevc_unit(reader.take(std::min(size, std::ssize(reader.rest())))));
  }
  return largest;
}

/// What hvcC holds (ISO/IEC 14496-15, 8.3.3.1).
std::int64_t pixels_of_hevc_configuration(Bytes content) {
  std::int64_t largest = 0;
  ByteReader reader(content);
  reader.take(22);
  for (std::int64_t arrays = reader.number(1); arrays > 0; --arrays) {
    reader.number(1);
    for (std::int64_t units = reader.number(2); units > 0; --units)
      largest = std::max(largest, pixels_of_hevc_unit(reader.take(reader.number(2))));
  }
  return largest;
}

/// The canvas of a picture that is put together of others (ISO/IEC 23008-12, 6.6.2).
std::int64_t pixels_of_canvas(Bytes type, Bytes content) {
  ByteReader reader(content);
  reader.number(1);
  const std::size_t bytes = reader.number(1) & 1 ? 4 : 2;
  reader.take(type == "grid" ? 2 : 8);
  const std::int64_t width = reader.number(bytes);
  return std::min(width, std::int64_t{1} << 31) * std::min(reader.number(bytes), std::int64_t{1} << 31);
}

/// The items of a file: what each is, and its bytes, which may lie in pieces.
struct Items {
  std::map<std::int64_t, std::string> types, contents;
  std::size_t bytes = 0;    ///< of all contents
  std::size_t extents = 0;  ///< pieces that they lie in
};

/// The types of the items (ISO/IEC 14496-12, 8.11.6).
void read_types(Bytes content, Items& items) {
  ByteReader reader(content);
  const bool old = reader.number(1) == 0;
  reader.take(3 + (old ? 2 : 4));
  each_box(reader.rest(), [&](Bytes type, Bytes entry) {
    if (type != "infe") return;
    ByteReader fields(entry);
    const std::int64_t version = fields.number(1);
    if (version < 2) return;
    fields.take(3);
    const std::int64_t item = fields.number(version == 2 ? 2 : 4);
    fields.take(2);
    items.types[item] = fields.take(4);
  });
}

/// Where the items lie (8.11.3): in the file, or in the box idat.
void read_places(Bytes content, Bytes file, Bytes idat, Items& items) {
  ByteReader reader(content);
  const std::int64_t version = reader.number(1);
  reader.take(3);
  const std::int64_t sizes = reader.number(2);
  const auto size = [&](int shift) { return static_cast<std::size_t>(sizes >> shift & 15); };
  for (std::int64_t count = reader.number(version < 2 ? 2 : 4); count > 0; --count) {
    const std::int64_t item = reader.number(version < 2 ? 2 : 4);
    const std::int64_t method = version > 0 ? reader.number(2) & 15 : 0;
    reader.number(2);
    const Bytes source = method == 1 ? idat : file;
    const auto base = static_cast<std::uint64_t>(reader.number(size(4)));
    std::string& bytes = items.contents[item];
    for (std::int64_t extents = reader.number(2); extents > 0; --extents) {
      // A piece may take no bytes to state, and its item no time to pass over.
      check(++items.extents <= file.size(), "broken HEIF: its items lie in more pieces than the file has bytes");
      if (version > 0) reader.number(size(0));
      const std::uint64_t at = base + static_cast<std::uint64_t>(reader.number(size(12)));
      const auto length = static_cast<std::uint64_t>(reader.number(size(8)));
      if (method > 1 || at >= source.size()) continue;
      const Bytes piece = source.substr(at, length == 0 ? Bytes::npos : length);
      items.bytes += piece.size();
      check(items.bytes <= 2 * file.size(), "broken HEIF: its items are longer than the file");
      bytes += piece;
    }
  }
}

}  // namespace

std::int64_t largest_heif_picture(std::string_view file) {
  Items items;
  std::int64_t largest = 0;
  each_box(file, [&](Bytes type, Bytes content) {
    if (type != "meta") return;
    const Bytes boxes = content.substr(std::min<std::size_t>(4, content.size()));
    Bytes idat;
    each_box(boxes, [&](Bytes name, Bytes data) {
      if (name == "idat") idat = data;
    });
    each_box(boxes, [&](Bytes name, Bytes data) {
      if (name == "iinf") read_types(data, items);
      if (name == "iloc") read_places(data, file, idat, items);
      if (name != "iprp") return;
      each_box(data, [&](Bytes list, Bytes properties) {
        if (list != "ipco") return;
        each_box(properties, [&](Bytes property, Bytes value) {
          if (property == "hvcC") largest = std::max(largest, pixels_of_hevc_configuration(value));
          if (property == "av1C" && value.size() > 4) largest = std::max(largest, pixels_of_av1(value.substr(4)));
        });
      });
    });
  });
  for (const auto& [item, type] : items.types) {
    const std::string& content = items.contents[item];
    if (type == "av01") largest = std::max(largest, pixels_of_av1(content));
    if (type == "hvc1") largest = std::max(largest, pixels_of_hevc(content));
    if (type == "grid" || type == "iovl") largest = std::max(largest, pixels_of_canvas(type, content));
  }
  return largest;
}

}  // namespace glimpse
