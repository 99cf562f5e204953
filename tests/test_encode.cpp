// The program that writes features of photographs.
#include <filesystem>

#include "catch.h"
#include "encoder_numbers.h"
#include "glimpse/data/feature_cache.h"
#include "glimpse/data/image.h"
#include "glimpse/engine/io/safetensors.h"
#include "glimpse/models/encoder/frozen_encoder.h"
#include "glimpse/models/encoder/preprocessing.h"
#include "program.h"
#include "scratch_folder.h"

namespace glimpse::test {
namespace {

const EncoderOptions options{.name = "squeezenet1_1", .stage = "features.4", .size = 40};

Image picture(int seed) {
  Image image{50, 44, std::vector<std::uint8_t>(50 * 44 * 3)};
  for (std::size_t i = 0; i < image.rgb.size(); ++i)
    image.rgb[i] =
        static_cast<std::uint8_t>(256 * number(static_cast<std::uint32_t>(seed), static_cast<std::int64_t>(i)));
  return image;
}

/// A folder of three pictures, and weights.
struct Setting {
  ScratchFolder folder;
  std::string images = folder / "images", weights = folder / "weights.safetensors", out = folder / "out.safetensors";
  Encoder encoder = encoder_by_formula(options);

  Setting() {
    std::filesystem::create_directory(images);
    for (int i = 0; i < 3; ++i) write_png(images + "/" + std::to_string(i) + ".png", picture(i));
    write_safetensors(weights, named_tensors(encoder));
  }
  ProgramResult encode(std::vector<std::string> more, const ProgramOptions& how = {}) const {
    std::vector<std::string> arguments{"encode",    "--encoder", options.name, "--stage", options.stage, "--size", "40",
                                       "--weights", weights,     "--out",      out};
    arguments.insert(arguments.end(), more.begin(), more.end());
    return run_program(arguments, how);
  }
  Tensor expected(const std::vector<int>& seeds) const {
    const Preprocessing p;
    const Tensor pixels = empty({static_cast<std::int64_t>(seeds.size()), 3, options.size, options.size});
    for (std::size_t i = 0; i < seeds.size(); ++i) {
      const auto row = static_cast<std::int64_t>(i);
      to_planes(picture(seeds[i]), options.size, p.mean, p.std, pixels.rows(row, row + 1).data<float>());
    }
    return FrozenEncoder(encoder)(pixels);
  }
};

TEST_CASE("encode writes the features of a folder") {
  const Setting s;
  SECTION("in f32") {
    const ProgramResult r = s.encode({"--f32", "--batch", "2", s.images});
    INFO(r.err);
    REQUIRE(r.code == 0);
    const SafetensorsFile file = read_safetensors(s.out);
    REQUIRE(file.tensors.size() == 1);
    CHECK(file.tensors[0].name == "features");
    CHECK(file.tensors[0].tensor.to_vector<float>() == s.expected({0, 1, 2}).to_vector<float>());
    CHECK(FeatureCache(s.out).filenames() == std::vector<std::string>{"0.png", "1.png", "2.png"});
  }
  SECTION("in f16, of some images, in the order given") {
    const ProgramResult r = s.encode({s.images + "/2.png", s.images + "/0.png"});
    REQUIRE(r.code == 0);
    const FeatureCache cache(s.out);
    CHECK(cache.dtype() == DType::f16);
    CHECK(cache.filenames() == std::vector<std::string>{"2.png", "0.png"});
    CHECK(relative_error(cache.gather(std::vector<std::int64_t>{0, 1}), s.expected({2, 0})) < 1e-3);
  }
}

TEST_CASE("encode names bad images, and leaves them out when asked") {
  const Setting s;
  s.folder.file("images/cut.jpg", "\xff\xd8\xff");
  s.folder.file("images/text.png", "no image");
  const ProgramResult stopped = s.encode({s.images});
  CHECK(stopped.code == 1);
  for (const char* part : {"2 of 5 images cannot be read", "cut.jpg: ", "text.png: "})
    CHECK(stopped.err.find(part) != std::string::npos);
  CHECK(!std::filesystem::exists(s.out));
  const ProgramResult skipped = s.encode({"--skip-bad", s.images});
  CHECK(skipped.code == 0);
  CHECK(skipped.err.find("2 of 5 images left out") != std::string::npos);
  CHECK(FeatureCache(s.out).size() == 3);
}

TEST_CASE("encode takes every picture of a folder, and says what it leaves out") {
  const Setting s;
  const std::string picture_file = slurp(s.images + "/1.png");
  s.folder.file("images/4.JPE", picture_file);  // what a file is, its content says
  s.folder.file("images/5.jfif", picture_file);
  s.folder.file("images/._5.jfif", "what macOS leaves");
  s.folder.file("images/6.tif", "II*");
  s.folder.file("images/captions.txt", "1.png\tone");
  std::filesystem::create_directories(s.images + "/deep/er");
  s.folder.file("images/deep/er/7.png", picture_file);
  const auto names = [&] { return FeatureCache(s.out).filenames(); };
  SECTION("of the folder alone") {
    const ProgramResult r = s.encode({s.images});
    INFO(r.err);
    REQUIRE(r.code == 0);
    CHECK(names() == std::vector<std::string>{"0.png", "1.png", "2.png", "4.JPE", "5.jfif"});
    CHECK(r.err.find("2 files skipped: 6.tif (TIFF: not built with a reader of TIFF), 1 is no picture\n") !=
          std::string::npos);
    CHECK(std::count(r.err.begin(), r.err.end(), '\n') == 1);
  }
  SECTION("and of those in it") {
    REQUIRE(s.encode({"--recursive", s.images}).code == 0);
    CHECK(names() == std::vector<std::string>{"0.png", "1.png", "2.png", "4.JPE", "5.jfif", "7.png"});
  }
  SECTION("a folder of folders says how") {
    const ProgramResult r = s.encode({s.images + "/deep"});
    CHECK(r.code == 1);
    CHECK(r.err.find("deep: no images in this folder (--recursive") != std::string::npos);
  }
  SECTION("a list of another system") {
    const std::string list = "\xef\xbb\xbf" + s.images + "/2.png\r\n\r\n" + s.images + "/0.png\r\n";
    const ProgramResult r = s.encode({"-"}, {.input = list});
    INFO(r.err);
    REQUIRE(r.code == 0);
    CHECK(names() == std::vector<std::string>{"2.png", "0.png"});
  }
  SECTION("the limit of pixels") {
    const ProgramResult r = s.encode({"--max-pixels", "2199", s.images + "/0.png"});  // 50 x 44
    CHECK(r.code == 1);
    CHECK(r.err.find("the limit is 2199 pixels") != std::string::npos);
  }
}

#ifndef __SANITIZE_ADDRESS__  // whose shadow alone is larger
TEST_CASE("encode ends with a message, however little memory it is given") {
  const Setting s;
  Encoder encoder = encoder_by_formula({.name = "squeezenet1_1", .size = 64});
  write_safetensors(s.weights, named_tensors(encoder));
  int refused = 0, done = 0;
  for (long megabytes = 84; megabytes <= 180; megabytes += 4) {
    CAPTURE(megabytes);
    const ProgramResult r = run_program({"encode", "--encoder", "squeezenet1_1", "--size", "64", "--weights", s.weights,
                                         "--out", s.out, s.images + "/0.png"},
                                        {.address_space = megabytes << 20});
    CHECK(r.signal == 0);
    if (r.code != 0) CHECK(!r.err.empty());
    ++(r.code == 0 ? done : refused);
  }
  CHECK(refused > 0);
  CHECK(done > 0);
}
#endif

TEST_CASE("encode says in one line what is wrong, and writes nothing") {
  const Setting s;
  const auto fails = [&](std::vector<std::string> arguments, const std::string& part) {
    const ProgramResult r = s.encode(std::move(arguments));
    INFO(r.err);
    CHECK(r.code != 0);
    CHECK(r.err.find(part) != std::string::npos);
    CHECK(std::count(r.err.begin(), r.err.end(), '\n') == 1);
    for (const auto& entry : std::filesystem::directory_iterator(s.folder.path()))
      CHECK(entry.path().string().find("out.safetensors") == std::string::npos);
  };
  fails({s.folder / "missing.jpg"}, "missing.jpg: ");
  fails({s.images, s.images + "/1.png"}, "1.png have one name");
  fails({"--grid", "3", s.images}, "has no grid of 3 cells a side");
  fails({"--batch", "0", s.images}, "--batch");
  fails({"--device", "tpu", s.images}, "tpu not in {cpu,cuda}");
  const std::string other = s.folder.file("other.safetensors", "not a file of tensors");
  const ProgramResult r =
      run_program({"encode", "--encoder", "squeezenet1_1", "--weights", other, "--out", s.out, s.images});
  CHECK(r.code == 1);
  CHECK(r.err.find("other.safetensors: ") != std::string::npos);
}

}  // namespace
}  // namespace glimpse::test
