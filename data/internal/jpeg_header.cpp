// The segments of a JPEG (ITU-T T.81, annex B), and what they make a decoder do.
#include <algorithm>
#include <string>
#include <vector>

#include "glimpse/data/internal/image_header.h"
#include "glimpse/kernels/base/check.h"

namespace glimpse {
namespace {

/// Encoders write about ten; each is a walk over the whole picture, and a few hundred bytes are enough for one.
constexpr int most_scans = 100;

bool is_frame(std::int64_t marker) {
  return marker >= 0xc0 && marker <= 0xcf && marker != 0xc4 && marker != 0xc8 && marker != 0xcc;
}

class JpegReader {
 public:
  explicit JpegReader(std::string_view bytes) : bytes_(bytes) {}

  ImageHeader read() {
    while (segment()) {
    }
    check(has_frame_, "broken JPEG: no frame header");
    return header_;
  }

 private:
  std::int64_t number(std::size_t offset, std::size_t count) const { return read_number(bytes_, offset, count, true); }

  /// Reads one marker with its segment. False where no more is needed.
  bool segment() {
    check(number(at_, 1) == 0xff, "broken JPEG: no marker at byte {}", at_);
    while (number(at_, 1) == 0xff) ++at_;
    const std::int64_t marker = number(at_++, 1);
    if (marker == 0x01 || (marker >= 0xd0 && marker <= 0xd7)) return true;  // these have no content
    if (marker == 0xd9) return false;
    const std::int64_t length = number(at_, 2);
    check(length >= 2, "broken JPEG: segment of {} bytes at byte {}", length, at_);
    const std::string_view content = bytes_.substr(at_ + 2, length - 2);
    if (marker == 0xee && content.starts_with("Adobe")) header_.adobe_marker = true;
    if (marker == 0xe1 && content.starts_with(std::string_view("Exif\0\0", 6)) && !has_exif_) {
      has_exif_ = true;
      header_.orientation = exif_orientation(content);
    }
    if (marker == 0xc4) check_codes(content);
    if (is_frame(marker)) frame(marker);
    at_ += static_cast<std::size_t>(length);
    return marker != 0xda || scan();
  }

  void frame(std::int64_t marker) {
    check(!has_frame_, "broken JPEG: two frame headers");
    has_frame_ = true;
    header_.arithmetic = marker >= 0xc9;
    many_pixels_a_byte_ = header_.arithmetic || marker == 0xc2 || marker == 0xc6;
    header_.height = number(at_ + 3, 2);
    header_.width = number(at_ + 5, 2);
    header_.components = static_cast<int>(number(at_ + 7, 1));
    if (!header_.arithmetic) header_.least_bytes = blocks() / 8;  // a Huffman code has one bit at least
  }

  /// Blocks of 8 x 8 samples of all components.
  std::int64_t blocks() const {
    std::vector<std::pair<std::int64_t, std::int64_t>> factors;
    std::pair<std::int64_t, std::int64_t> most{1, 1};
    for (int i = 0; i < header_.components; ++i) {
      const std::int64_t both = number(at_ + 9 + 3 * static_cast<std::size_t>(i), 1);
      factors.emplace_back(both >> 4, both & 15);
      most = {std::max(most.first, both >> 4), std::max(most.second, both & 15)};
    }
    const auto along = [](std::int64_t size, std::int64_t factor, std::int64_t largest) {
      return (size * factor + 8 * largest - 1) / (8 * largest);
    };
    std::int64_t sum = 0;
    for (const auto& [h, v] : factors)
      sum += along(header_.width, h, most.first) * along(header_.height, v, most.second);
    return sum;
  }

  /// A Huffman table has 256 codes at most; stb_image writes past its memory for more.
  static void check_codes(std::string_view tables) {
    while (tables.size() >= 17) {
      std::size_t codes = 0;
      for (std::size_t i = 1; i <= 16; ++i) codes += static_cast<std::uint8_t>(tables[i]);
      check(codes <= 256, "broken JPEG: a Huffman table of {} codes", codes);
      tables.remove_prefix(std::min(tables.size(), 17 + codes));
    }
  }

  /// Goes over the pixels of a scan. False where it need not.
  bool scan() {
    check(has_frame_, "broken JPEG: pixels before the frame header");
    check(++scans_ <= most_scans, "JPEG of more than {} scans: no encoder writes so many", most_scans);
    if (!many_pixels_a_byte_) return false;
    while (true) {
      at_ = bytes_.find('\xff', at_);
      if (at_ == std::string_view::npos || at_ + 1 >= bytes_.size())
        return false;  // the decoder will see that it is cut
      const auto next = static_cast<std::uint8_t>(bytes_[at_ + 1]);
      if (next == 0xff)
        ++at_;
      else if (next == 0 || (next >= 0xd0 && next <= 0xd7))
        at_ += 2;
      else
        return true;
    }
  }

  std::string_view bytes_;
  ImageHeader header_{ImageFormat::jpeg};
  std::size_t at_ = 2;
  int scans_ = 0;
  bool has_frame_ = false, has_exif_ = false;
  bool many_pixels_a_byte_ = false;  // progressive or arithmetic coding: a scan may be far shorter than its pixels
};

}  // namespace

ImageHeader read_jpeg_header(std::string_view bytes) { return JpegReader(bytes).read(); }

}  // namespace glimpse
