// Reading, resizing and writing of images, against Pillow's results (tests/golden/make_images.py) and broken files.
#include <sys/stat.h>

#include <algorithm>
#include <cstdlib>
#include <filesystem>

#include "catch.h"
#include "error_of.h"
#include "glimpse/data/image.h"
#include "glimpse/data/internal/codecs.h"
#include "glimpse/engine/io/file.h"
#include "glimpse/kernels/base/error.h"
#include "glimpse/kernels/base/parallel.h"
#include "scratch_folder.h"

using namespace glimpse;
using glimpse::test::error_of;

namespace {

const std::string golden = std::string(GLIMPSE_TEST_DATA) + "/images/";

/// The largest difference of two images in levels; 999 for different sizes.
int difference(const Image& a, const Image& b) {
  if (a.width != b.width || a.height != b.height || a.rgb.size() != b.rgb.size()) return 999;
  int most = 0;
  for (std::size_t i = 0; i < a.rgb.size(); ++i) most = std::max(most, std::abs(a.rgb[i] - b.rgb[i]));
  return most;
}

std::string message_of(const std::string& path) {
  return error_of([&] { read_image(path); });
}

bool contains(const std::string& text, const std::string& part) { return text.find(part) != std::string::npos; }

/// Whether the library that the golden file `name` needs was built in.
bool readable(const std::string& name) {
  if (name == "arithmetic.jpg") return have_libjpeg;
  for (const ImageKind& kind : image_kinds())
    for (const std::string& extension : kind.extensions)
      if (name.ends_with(extension)) return kind.missing_library == nullptr;
  return false;
}

Image synthetic(int width, int height) {
  Image image{width, height, {}};
  for (int i = 0; i < width * height * 3; ++i) image.rgb.push_back(static_cast<std::uint8_t>(i * 7919 % 256));
  return image;
}

}  // namespace

TEST_CASE("images are read as Pillow reads them") {
  struct Case {
    const char* name;
    int tolerance;  // decoders of JPEG may round differently, and enlarge coarser colour planes in their own ways
  };
  const Case cases[] = {{"baseline.jpg", 2},   {"progressive.jpg", 2}, {"subsampled.jpg", 4},    {"grey.jpg", 2},
                        {"cmyk.jpg", 2},       {"ycck.jpg", 2},        {"colour.png", 0},        {"grey.png", 0},
                        {"grey_alpha.png", 1}, {"alpha.png", 1},       {"palette.png", 0},       {"colour.bmp", 0},
                        {"palette.gif", 0},    {"deep.png", 0},        {"palette_alpha.png", 1}, {"animated.gif", 0},
                        {"arithmetic.jpg", 2}, {"lossy.webp", 2},      {"lossless.webp", 0},     {"alpha.webp", 1},
                        {"animated.webp", 0},  {"colour.avif", 4},     {"colour.heic", 4}};
  for (const Case& c : cases) {
    INFO(c.name);
    if (!readable(c.name)) {
      CHECK(contains(message_of(golden + c.name), "built without"));
      continue;
    }
    const Image image = read_image(golden + c.name);
    CHECK(image.width == 32);
    CHECK(image.height == 24);
    CHECK(difference(image, read_image(golden + c.name + ".expected.png")) <= c.tolerance);
  }
}

TEST_CASE("what is no image is refused with its path and the reason") {
  const ScratchFolder folder;
  const auto file = [&](const std::string& name, const std::string& content) { return folder.file(name, content); };
  const auto check_message = [&](const std::string& path, const std::string& reason) {
    const std::string message = message_of(path);
    INFO(message);
    CHECK(message.starts_with(path + ": "));
    CHECK(contains(message, reason));
  };
  check_message(folder / "missing.jpg", "No such file");
  check_message(folder / "", "directory");
  check_message(file("empty.jpg", ""), "empty file");
  check_message(file("text.jpg", "hello world, this is text"), "not an image");
  // What is no picture may be a secret: nothing of it is shown.
  CHECK_FALSE(contains(message_of(file("secret.jpg", "hello world, this is text")), "hello"));
  check_message(file("webp.jpg", std::string("RIFF\x10\0\0\0WEBPVP8 ", 16)), "truncated");
  check_message(file("photo.tif", std::string("II*\0\x08\0\0\0\0\0\0\0", 12)), "TIFF is not supported");
  check_message(file("magic.jpg", "\xff\xd8\xff"), "truncated");
  check_message(file("noise.jpg", "\xff\xd8\xff\xe0" + std::string(500, 'x')), "truncated");
  check_message(file("magic.png", "\x89PNG\r\n\x1a\n"), "truncated");
  check_message(golden + "cmyk_without_marker.jpg", "Adobe");

  // A header that promises 40,000 x 40,000 pixels is refused before memory is asked for.
  std::string huge = read_text_file(golden + "colour.png");
  huge.replace(16, 8, std::string("\0\0\x9c\x40\0\0\x9c\x40", 8));
  check_message(file("huge.png", huge), "40000 x 40000 pixels");
  CHECK_THROWS_AS(check_image_header(folder / "huge.png"), Error);
  CHECK_NOTHROW(check_image_header(golden + "colour.png"));

  if (::geteuid() != 0) {  // root reads everything
    const std::string hidden = file("hidden.png", read_text_file(golden + "colour.png"));
    std::filesystem::permissions(hidden, std::filesystem::perms::none);
    check_message(hidden, "denied");
  }
}

TEST_CASE("HEIF and AVIF: what the streams say of their size is within the limit too") {
  struct Case {
    const char* name;
    std::int64_t pixels;  // HEVC's pictures here consist of squares of 64
  };
  for (const auto& [name, pixels] : {Case{"colour.avif", 32 * 24}, Case{"colour.heic", 64 * 64}}) {
    INFO(name);
    std::string bytes = read_text_file(golden + name);
    const std::size_t size = bytes.find("ispe") + 8;
    REQUIRE(size < bytes.size());
    bytes.replace(size, 8, std::string("\0\0\0\4\0\0\0\4", 8));  // a box may say 4 x 4
    CHECK(largest_heif_picture(bytes) == pixels);
    const auto refusal = [&](std::int64_t limit) {
      return error_of([&] { decode_image("picture", bytes, {.max_pixels = limit}); });
    };
    CHECK(contains(refusal(100), "picture: a picture of " + std::to_string(pixels) + " pixels, the limit is 100"));
    CHECK_FALSE(contains(refusal(pixels), "limit"));
  }
}

TEST_CASE("HEIF: a picture that its boxes turn is shown turned, and stored as it lies") {
  if (!readable("colour.heic")) return;  // built without libheif
  std::string bytes = read_text_file(golden + "colour.heic");
  // In place of the depth of its channels (pixi): a quarter turn to the left (irot), after the crop (clap).
  const std::size_t pixi = bytes.find("pixi"), uses = bytes.find("\x05\x84", bytes.find("ipma"));
  REQUIRE(uses < bytes.size());
  bytes.replace(pixi, 5, std::string("irot") + '\1');
  bytes.replace(uses, 2, "\x84\x85");
  const Image stored = read_image(golden + "colour.heic");
  const Image turned = decode_image("turned", bytes);
  CHECK(turned.width == 24);
  CHECK(turned.height == 32);
  CHECK(difference(turned, upright(stored, 8)) <= 4);  // libheif turns before it enlarges the colour planes
  // As stored is also without the crop: the whole squares of the coder.
  CHECK(decode_image("turned", bytes, {.orientation = Orientation::stored}).width == 64);
}

TEST_CASE("HEIF: the canvas of a grid, wherever it lies") {
  const auto box = [](const std::string& type, const std::string& content) {
    const auto size = static_cast<unsigned>(content.size() + 8);
    return std::string{static_cast<char>(size >> 24), static_cast<char>(size >> 16), static_cast<char>(size >> 8),
                       static_cast<char>(size)} +
           type + content;
  };
  const std::string grid("\0\0\1\1\x40\0\x30\0", 8);  // 2 x 2 tiles, 16384 x 12288 pixels
  const std::string entry = box("infe", std::string("\2\0\0\0\0\1\0\0", 8) + "grid" + std::string(1, '\0'));
  const std::string types = box("iinf", std::string("\0\0\0\0\0\1", 6) + entry);
  const std::string in_idat("\1\0\0\0\x44\0\0\1\0\1\0\1\0\0\0\1\0\0\0\0\0\0\0\x08", 24);
  const std::string places = box("iloc", in_idat), data = box("idat", grid);
  const std::string meta = box("meta", std::string(4, '\0') + types + places + data);
  const std::string file = box("ftyp", "heic" + std::string(4, '\0') + "mif1") + meta;
  CHECK(largest_heif_picture(file) == std::int64_t{16384} * 12288);
  CHECK(largest_heif_picture(box("ftyp", "heic")) == 0);
  // An item in very many pieces that take no bytes to state.
  const std::string endless = std::string("\1\0\0\0\0\0\xff\xff", 8) + std::string(600'000, '\xff');
  CHECK(contains(error_of([&] { largest_heif_picture(box("meta", std::string(4, '\0') + box("iloc", endless))); }),
                 "more pieces than the file has bytes"));
  // Cut anywhere, it is an answer or an Error.
  for (std::size_t length = 0; length < file.size(); ++length) {
    try {
      const std::int64_t pixels = largest_heif_picture(std::string_view(file).substr(0, length));
      CHECK(pixels == 0);
    } catch (const Error& error) {
      CHECK(std::string(error.what()) != "");
    }
  }
}

TEST_CASE("an image cut anywhere is an error, not half a picture") {
  for (const char* name :
       {"baseline.jpg", "progressive.jpg", "subsampled.jpg", "grey.jpg", "cmyk.jpg", "colour.png", "palette.png",
        "colour.bmp", "palette.gif", "lossy.webp", "lossless.webp", "alpha.webp", "colour.avif", "colour.heic"}) {
    if (!readable(name)) continue;
    const std::string bytes = read_text_file(golden + name);
    const bool gif = std::string_view(name).ends_with(".gif");
    // The last byte of a GIF ends the file, not the first frame.
    for (std::size_t length = 0; length + (gif ? 2 : 1) <= bytes.size(); ++length) {
      bool refused = false;
      try {
        decode_image("cut", std::string_view(bytes).substr(0, length));
      } catch (const Error& error) {
        refused = std::string_view(error.what()).starts_with("cut: ");
      }
      INFO(name << " cut after " << length << " of " << bytes.size());
      CHECK(refused);
    }
    CHECK_NOTHROW(decode_image("whole", bytes));
    CHECK_NOTHROW(decode_image("with a tail", bytes + "tail"));
  }
}

TEST_CASE("damaged bytes are decoded or refused, never worse") {
  for (const char* name :
       {"baseline.jpg", "progressive.jpg", "cmyk.jpg", "palette.png", "alpha.png", "colour.bmp", "palette.gif",
        "arithmetic.jpg", "lossy.webp", "lossless.webp", "alpha.webp", "animated.webp"}) {
    const std::string bytes = read_text_file(golden + name);
    for (std::size_t i = 0; i < bytes.size(); ++i) {
      for (const char flip : {'\x01', '\x80', '\xff'}) {
        std::string damaged = bytes;
        damaged[i] ^= flip;
        try {
          const Image image = decode_image("damaged", damaged);
          REQUIRE(image.rgb.size() ==
                  static_cast<std::size_t>(image.width) * static_cast<std::size_t>(image.height) * 3);
        } catch (const Error&) {
        }
      }
    }
  }
}

TEST_CASE("what is no regular file is refused without waiting for it") {
  const ScratchFolder folder;
  REQUIRE(::mkfifo((folder / "pipe.jpg").c_str(), 0600) == 0);
  for (const std::string& path : {folder / "pipe.jpg", std::string("/dev/zero")}) {
    CHECK(message_of(path) == path + ": not a regular file");
    CHECK_THROWS_AS(check_image_header(path), Error);
  }
  std::filesystem::create_symlink(golden + "colour.png", folder / "link.png");
  CHECK(read_image(folder / "link.png").width == 32);
}

TEST_CASE("resize agrees with Pillow's antialiased bilinear filter") {
  const Image source = read_image(golden + "resize.png");
  for (const auto& [width, height] : {std::pair{16, 16}, {7, 5}, {53, 10}, {20, 37}, {90, 71}, {1, 1}, {10, 80}}) {
    const std::string name = "resize_" + std::to_string(width) + "x" + std::to_string(height) + ".png";
    INFO(name);
    CHECK(difference(resize(source, width, height), read_image(golden + name)) <= 1);
  }
  CHECK(resize(source, source.width, source.height).rgb == source.rgb);
  CHECK_THROWS_AS(resize(source, 0, 5), Error);
  CHECK_THROWS_AS(resize(Image{3, 3, {1, 2}}, 5, 5), Error);
}

TEST_CASE("resize keeps constants and the mean, whatever the number of threads") {
  Image flat{301, 97, std::vector<std::uint8_t>(301 * 97 * 3, 255)};
  const Image small = resize(flat, 50, 13);
  CHECK(std::all_of(small.rgb.begin(), small.rgb.end(), [](std::uint8_t v) { return v == 255; }));
  const Image large = synthetic(211, 150);
  const int threads = kernels::threads();
  kernels::set_threads(1);
  const Image one = resize(large, 64, 64);
  kernels::set_threads(3);
  const Image three = resize(large, 64, 64);
  kernels::set_threads(threads);
  CHECK(one.rgb == three.rgb);
}

TEST_CASE("a tensor holds planes, normalised per channel") {
  Image image{2, 2, {0, 51, 255, 255, 0, 0, 10, 20, 30, 1, 2, 3}};
  const Tensor x = to_tensor(image, 2, {0.5f, 0.25f, 0.0f}, {0.5f, 0.25f, 2.0f});
  CHECK(x.shape() == Shape{3, 2, 2});
  const std::vector<float> v = x.to_vector<float>();
  CHECK(v[0] == Approx(-1));                   // red of the first pixel
  CHECK(v[1] == Approx(1));                    // of the second
  CHECK(v[4] == Approx((0.2 - 0.25) / 0.25));  // green of the first
  CHECK(v[8] == Approx(0.5));                  // blue of the first
  CHECK(v[11] == Approx(3.0 / 255 / 2));
  CHECK(to_tensor(synthetic(30, 20), 8, {0, 0, 0}, {1, 1, 1}).shape() == Shape{3, 8, 8});
  CHECK_THROWS_AS(to_tensor(image, 0, {0, 0, 0}, {1, 1, 1}), Error);
  CHECK_THROWS_AS(to_tensor(image, 2, {0, 0, 0}, {1, 0, 1}), Error);
}

TEST_CASE("a written PNG reads back the same, and a failed write leaves nothing") {
  const ScratchFolder folder;
  const Image image = synthetic(37, 19);
  write_png(folder / "a.png", image);
  const Image back = read_image(folder / "a.png");
  CHECK(difference(image, back) == 0);
  CHECK_THROWS_AS(write_png(folder / "no/such/folder.png", image), Error);
  CHECK_THROWS_AS(write_png(folder / "b.png", Image{5, 5, {1}}), Error);
  CHECK_FALSE(std::filesystem::exists(folder / "b.png"));
}
