// Pictures of all formats. A JPEG also goes to stb_image, which reads it where libjpeg-turbo was not built in.
#include <algorithm>

#include "fuzz.h"
#include "glimpse/data/image.h"
#include "glimpse/data/internal/codecs.h"
#include "glimpse/kernels/base/error.h"

namespace glimpse::fuzz {
namespace {

constexpr std::int64_t most_pixels = 1 << 20;  // small pictures show the same faults in less time

void read(std::string_view bytes) {
  const ImageOptions options{.squash = 16, .max_pixels = most_pixels};
  decode_image("fuzz", bytes, options);
  const ImageHeader header = read_image_header(bytes);
  if (have_libjpeg && header.format == ImageFormat::jpeg)
    decode_by_stb({.bytes = bytes, .header = header, .max_pixels = most_pixels, .max_bytes = 8 * most_pixels});
}

std::vector<std::string> seeds() { return files_in(GLIMPSE_TEST_DATA "/images"); }

/// A segment or chunk, without its length.
struct Part {
  std::string name, content;
};

std::string number(std::size_t value, int bytes, bool big_endian) {
  std::string text;
  for (int i = 0; i < bytes; ++i) {
    const int shift = 8 * (big_endian ? bytes - 1 - i : i);
    text += static_cast<char>(value >> shift & 255);
  }
  return text;
}

/// A format whose files are a head and parts: a name, the length of the content (its own place counted or not),
/// content, a check that no reader of ours looks at.
struct Form {
  std::string_view head;
  std::size_t head_size, name, length, check;
  bool length_first, big_endian;
};
constexpr Form forms[] = {{"\x89PNG", 8, 4, 4, 4, true, true}, {"RIFF", 12, 4, 4, 0, false, false}};

/// Of PNG and WebP.
std::string mutate_chunks(const std::string& bytes, const Form& form, std::uint32_t random) {
  std::vector<Part> parts;
  std::size_t at = form.head_size;
  const std::size_t lead = form.name + form.length;
  while (at + lead <= bytes.size()) {
    std::size_t length = 0;
    const std::size_t place = at + (form.length_first ? 0 : form.name);
    for (std::size_t i = 0; i < form.length; ++i) {
      const auto byte = static_cast<std::uint8_t>(bytes[place + (form.big_endian ? i : form.length - 1 - i)]);
      length = length << 8 | byte;
    }
    length = std::min(length, bytes.size() - at - lead);
    parts.push_back(
        {bytes.substr(at + (form.length_first ? form.length : 0), form.name), bytes.substr(at + lead, length)});
    at += lead + length + (form.check ? form.check : length % 2);
  }
  if (parts.empty()) return mutated(bytes);
  Part& changed = parts[random % parts.size()];
  changed.content = mutated(changed.content);
  std::string result;
  for (const Part& part : parts) {
    const std::string length = number(part.content.size(), static_cast<int>(form.length), form.big_endian);
    result += form.length_first ? length + part.name : part.name + length;
    result += part.content + std::string(form.check ? form.check : part.content.size() % 2, '\0');
  }
  if (form.head == "RIFF") return "RIFF" + number(result.size() + 4, 4, false) + "WEBP" + result;
  return bytes.substr(0, form.head_size) + result;
}

/// Segments of a JPEG up to its pixels; those are the last part.
std::string mutate_jpeg(const std::string& bytes, std::uint32_t random) {
  std::vector<Part> parts;
  std::size_t at = 2;
  while (at + 4 <= bytes.size() && bytes[at] == '\xff') {
    const bool pixels = bytes[at + 1] == '\xda';
    std::size_t length = static_cast<std::size_t>(static_cast<std::uint8_t>(bytes[at + 2]) << 8 |
                                                  static_cast<std::uint8_t>(bytes[at + 3]));
    length = std::min(std::max<std::size_t>(length, 2), bytes.size() - at - 2);
    parts.push_back({bytes.substr(at, 2), bytes.substr(at + 4, length - 2)});
    at += 2 + length;
    if (pixels) break;
  }
  const std::string rest = bytes.substr(std::min(at, bytes.size()));
  const std::size_t chosen = random % (parts.size() + 1);
  std::string result = "\xff\xd8";
  for (std::size_t i = 0; i < parts.size(); ++i) {
    if (i == chosen) parts[i].content = mutated(parts[i].content).substr(0, 65000);
    result += parts[i].name + number(parts[i].content.size() + 2, 2, true) + parts[i].content;
  }
  return result + (chosen == parts.size() ? mutated(rest) : rest);
}

std::string mutate(const std::string& bytes, std::uint32_t random) {
  if (bytes.starts_with("\xff\xd8")) return mutate_jpeg(bytes, random);
  for (const Form& form : forms)
    if (bytes.starts_with(form.head) && bytes.size() > form.head_size) return mutate_chunks(bytes, form, random);
  return mutated(bytes);
}

}  // namespace

const Target target{.read = read, .seeds = seeds, .mutate = mutate};

}  // namespace glimpse::fuzz
