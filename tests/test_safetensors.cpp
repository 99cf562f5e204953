#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#include <csignal>
#include <cstring>
#include <filesystem>

#include "catch.h"
#include "error_of.h"
#include "glimpse/engine/io/safetensors.h"
#include "glimpse/kernels/base/error.h"
#include "scratch_folder.h"

using namespace glimpse;
using glimpse::test::error_of;

namespace {

/// A safetensors file from header and data as they are given, right or wrong.
std::string bytes_of(const std::string& header, const std::string& data) {
  const std::uint64_t length = header.size();
  return std::string(reinterpret_cast<const char*>(&length), 8) + header + data;
}

std::string message_of(const std::string& path) {
  return error_of([&] { read_safetensors(path); });
}

const Tensor& find(const SafetensorsFile& file, const std::string& name) {
  for (const NamedTensor& t : file.tensors)
    if (t.name == name) return t.tensor;
  throw Error("no tensor " + name);
}

}  // namespace

TEST_CASE("safetensors: what is written is read") {
  const ScratchFolder folder;
  const std::string path = folder / "a.safetensors";
  const std::vector<NamedTensor> tensors = {{"half", from_vector(std::vector<float>{1, -2, 0.5f}, {3}).to(DType::f16)},
                                            {"weight", from_vector(std::vector<float>{1, 2, 3, 4, 5, 6}, {2, 3})},
                                            {"words", from_vector(std::vector<std::int32_t>{7, -8}, {2})},
                                            {"double \"quoted\" \xc3\xa9", from_vector(std::vector<double>{0.1}, {})},
                                            {"empty", zeros({0, 4})},
                                            {"brain", from_vector(std::vector<float>{3}, {1}).to(DType::bf16)}};
  write_safetensors(path, tensors, {{"config", "{\"a\": 1}"}, {"empty", ""}});
  const SafetensorsFile file = read_safetensors(path);
  CHECK(file.metadata == Metadata{{"config", "{\"a\": 1}"}, {"empty", ""}});
  REQUIRE(file.tensors.size() == tensors.size());
  for (const NamedTensor& t : tensors) {
    INFO(t.name);
    const Tensor& got = find(file, t.name);
    CHECK(got.dtype() == t.tensor.dtype());
    CHECK(got.shape() == t.tensor.shape());
    CHECK(got.to_vector<double>() == t.tensor.to_vector<double>());
    if (t.tensor.numel() > 0) CHECK(reinterpret_cast<std::uintptr_t>(got.raw()) % size_of(got.dtype()) == 0);
  }
  // Wider elements first, else a reader could not map what follows a half.
  for (std::size_t i = 1; i < file.tensors.size(); ++i)
    CHECK(size_of(file.tensors[i - 1].tensor.dtype()) >= size_of(file.tensors[i].tensor.dtype()));
  CHECK_FALSE(std::filesystem::exists(path + ".tmp"));
}

TEST_CASE("safetensors: a file written by the reference implementation") {
  const SafetensorsFile file = read_safetensors(GLIMPSE_TEST_DATA "/reference.safetensors");
  CHECK(file.metadata == Metadata{{"format", "pt"}});
  CHECK(find(file, "f32").to_vector<float>() == std::vector<float>{0.5f, -1, 2, 3, 4, 1e30f});
  CHECK(find(file, "f32").shape() == Shape{2, 3});
  CHECK(find(file, "f64").item() == 0.1);
  CHECK(find(file, "f16").to_vector<float>() == std::vector<float>{1, -0.5f, 65504});
  CHECK(find(file, "bf16").to_vector<float>() == std::vector<float>{1, 0.0078125f});
  CHECK(find(file, "i32").to_vector<std::int32_t>() == std::vector<std::int32_t>{-7, 2147483647});
  CHECK(find(file, "i64").to_vector<std::int32_t>() == std::vector<std::int32_t>{-2147483648, 5});
  CHECK(find(file, "u8").to_vector<std::int32_t>() == std::vector<std::int32_t>{0, 255});
  CHECK(find(file, "i8").to_vector<std::int32_t>() == std::vector<std::int32_t>{-128, 127});
  CHECK(find(file, "bool").to_vector<std::int32_t>() == std::vector<std::int32_t>{1, 0, 1});
  CHECK(find(file, "num_batches_tracked").shape() == Shape{});
  CHECK(find(file, "num_batches_tracked").item() == 1000);
}

TEST_CASE("safetensors: mapped tensors share the file's pages; writing changes memory only") {
  const ScratchFolder folder;
  const std::string path = folder / "a.safetensors";
  write_safetensors(path, {{"x", full({1000}, 3)}});
  const std::size_t before = memory_stats().in_use;
  Tensor x = read_safetensors(path).tensors[0].tensor;
  CHECK(memory_stats().in_use == before);
  x.fill(4);
  CHECK(x.to_vector<float>()[999] == 4);
  CHECK(read_safetensors(path).tensors[0].tensor.to_vector<float>()[999] == 3);
  write_safetensors(path, {{"x", full({1000}, 5)}});  // the old mapping keeps the old file
  CHECK(x.to_vector<float>()[0] == 4);
}

TEST_CASE("safetensors: data that is not aligned is copied") {
  const ScratchFolder folder;
  const float value = 1.5f;
  std::string data(5, '\7');
  std::memcpy(data.data() + 1, &value, 4);
  const std::string path = folder.file("a", bytes_of(R"({"a":{"dtype":"U8","shape":[1],"data_offsets":[0,1]},)"
                                                     R"("b":{"dtype":"F32","shape":[1],"data_offsets":[1,5]}})",
                                                     data));
  CHECK(find(read_safetensors(path), "b").item() == 1.5);
  CHECK(find(read_safetensors(path), "a").item() == 7);
}

TEST_CASE("safetensors: errors name file, tensor and reason") {
  const ScratchFolder folder;
  const std::string four(4, '\0'), eight(8, '\0');
  const auto entry = [](const char* rest) { return std::string("{\"x\":{") + rest + "}}"; };
  const std::string good = R"("dtype":"F32","shape":[1],"data_offsets":[0,4])";
  struct Bad {
    std::string bytes, reason;
  };
  const std::vector<Bad> list = {
      {"", "the file is empty"},
      {"1234567", "not a safetensors file: it has 7 bytes"},
      {std::string(8, '\xff'), "a header of 18446744073709551615 bytes in a file of 8"},
      {bytes_of("", ""), "a header of 0 bytes"},
      {bytes_of("[]", ""), "not a safetensors file"},
      {bytes_of("{\"x\":", ""), "the header: JSON ends in the middle, at byte 5"},
      {bytes_of("{\"\xff\":1}", ""), "the header: JSON is broken at byte 3 of 7"},
      {bytes_of("{\"x\":[[[[1]]]]}", ""), "the header: line 1: nested more than 3 deep"},
      {bytes_of("{\"x\":" + std::string(100000, '[') + "}", ""), "the header: line 1: nested more than 3 deep"},
      {bytes_of("{\"x\":1}", ""), "tensor 'x': its entry needs dtype, shape and data_offsets"},
      {bytes_of(entry(R"("dtype":"F32","shape":[1])"), four), "tensor 'x': its entry needs"},
      {bytes_of(entry((good + ",\"more\":1").c_str()), four), "tensor 'x': its entry needs"},
      {bytes_of(entry(R"("dtype":"F8_E4M3","shape":[1],"data_offsets":[0,1])"), "a"),
       "tensor 'x': dtype \"F8_E4M3\" is not"},
      {bytes_of(entry(R"("dtype":5,"shape":[1],"data_offsets":[0,1])"), "a"), "tensor 'x': dtype 5 is not supported"},
      {bytes_of(entry(R"("dtype":"F32","shape":1,"data_offsets":[0,4])"), four), "tensor 'x': shape is not a list"},
      {bytes_of(entry(R"("dtype":"F32","shape":[-1],"data_offsets":[0,4])"), four), "tensor 'x': shape is not a list"},
      {bytes_of(entry(R"("dtype":"F32","shape":[1.0],"data_offsets":[0,4])"), four), "tensor 'x': shape is not a list"},
      {bytes_of(entry(R"("dtype":"F32","shape":[1,1,1,1,1,1,1],"data_offsets":[0,4])"), four),
       "tensor 'x': 7 dimensions"},
      {bytes_of(entry(R"("dtype":"F32","shape":[9223372036854775808],"data_offsets":[0,4])"), four), "overflows"},
      {bytes_of(entry(R"("dtype":"F32","shape":[4294967296,4294967296],"data_offsets":[0,0])"), ""),
       "tensor 'x': shape (4"},
      {bytes_of(entry(R"("dtype":"F32","shape":[4611686018427387904],"data_offsets":[0,0])"), ""), "overflows"},
      {bytes_of(entry(R"("dtype":"F32","shape":[4611686018427387905],"data_offsets":[0,4])"), four), "overflows"},
      {bytes_of(entry(R"("dtype":"F32","shape":[1],"data_offsets":[0])"), four),
       "tensor 'x': data_offsets is not a pair"},
      {bytes_of(entry(R"("dtype":"F32","shape":[1],"data_offsets":["0","4"])"), four),
       "tensor 'x': data_offsets is not"},
      {bytes_of(entry(R"("dtype":"F32","shape":[1],"data_offsets":[4,8])"), four),
       "tensor 'x': its bytes [4,8) lie outside the 4"},
      {bytes_of(entry(R"("dtype":"F32","shape":[1],"data_offsets":[4,0])"), four),
       "tensor 'x': its bytes [4,0) lie outside"},
      {bytes_of(entry(R"("dtype":"F32","shape":[2],"data_offsets":[0,4])"), four),
       "tensor 'x': shape (2) needs 8 bytes, but it has 4"},
      {bytes_of(entry(good.c_str()), eight), "4 bytes at the end belong to no tensor"},
      {bytes_of(entry(R"("dtype":"F32","shape":[1],"data_offsets":[4,8])"), eight),
       "tensor 'x': 4 bytes before its data"},
      {bytes_of("{\"x\":{" + good + "},\"y\":{" + good + "}}", four), "tensor 'y': its data overlaps that of 'x'"},
      {bytes_of("{\"x\":{" + good + "},\"x\":{" + good + "}}", four), "'x' stands twice in one object"},
      {bytes_of(entry((good + ",\"dtype\":\"F32\"").c_str()), four), "'dtype' stands twice in one object"},
      {bytes_of(R"({"__metadata__":{"a":1}})", ""), "metadata 'a' is not a string"},
      {bytes_of(R"({"__metadata__":[]})", ""), "its __metadata__ is not an object"},
      {bytes_of(entry(R"("dtype":"I64","shape":[1],"data_offsets":[0,8])"), std::string(8, '\x7f')),
       "tensor 'x': element 0 is 9187201950435737471, which does not fit i32"}};
  for (std::size_t i = 0; i < list.size(); ++i) {
    const std::string path = folder.file("bad" + std::to_string(i), list[i].bytes);
    const std::string message = message_of(path);
    INFO(i << ": " << message);
    CHECK(message.find(path + ": ") == 0);
    CHECK(message.find(list[i].reason) != std::string::npos);
    CHECK(message.size() < path.size() + 400);
  }
  CHECK(message_of(folder / "none") == (folder / "none") + ": No such file or directory");
  CHECK(message_of(folder.path()) == folder.path() + ": not a regular file");
}

TEST_CASE("safetensors: no mutation of a valid file does worse than throw") {
  const ScratchFolder folder;
  const std::string path = folder / "a";
  write_safetensors(path, {{"a", full({3, 2}, 1)}, {"b", full({5}, 2, DType::f16)}, {"c", zeros({2}, DType::i32)}},
                    {{"key", "value"}});
  std::string valid = read_text_file(path);
  // The padding holds nothing that a mutation could make interesting.
  const std::size_t header = valid.find_last_of('}') + 1;
  valid = bytes_of(valid.substr(8, header - 8), valid.substr(valid.size() - 42));
  REQUIRE_NOTHROW(read_safetensors(folder.file("b", valid)));

  std::uint64_t state = 12345;
  const auto random = [&](std::uint64_t n) {
    state = state * 6364136223846793005u + 1442695040888963407u;
    return (state >> 33) % n;
  };
  int accepted = 0;
  for (int i = 0; i < 6000; ++i) {
    std::string bytes = valid;
    for (std::uint64_t times = 1 + random(3); times > 0 && !bytes.empty(); --times) {
      const std::size_t at = random(bytes.size());
      const std::size_t length = std::min<std::size_t>(1 + random(12), bytes.size() - at);
      switch (random(6)) {
        case 0:
          bytes[at] = static_cast<char>(random(256));
          break;
        case 1:
          bytes[at] = "0123456789{}[]\",:-eEFI\\"[random(23)];
          break;
        case 2:
          bytes.erase(at, length);
          break;
        case 3:
          bytes.insert(at, bytes.substr(random(bytes.size()), length));
          break;
        case 4:
          bytes.resize(at);
          break;
        default:
          bytes[random(8)] = static_cast<char>(random(256));
          break;
      }
      // Half of the time the header's length follows, so that the mutation reaches the JSON.
      const std::size_t end = bytes.find_last_of('}');
      if (random(2) == 0 && bytes.size() > 8 && end != std::string::npos && end >= 8) {
        const std::uint64_t fixed = end - 7;
        std::memcpy(bytes.data(), &fixed, 8);
      }
    }
    try {
      const SafetensorsFile file = read_safetensors(folder.file("c", bytes));
      for (const NamedTensor& t : file.tensors) t.tensor.to_vector<double>();
      ++accepted;
    } catch (const Error&) {
    }
  }
  CHECK(accepted > 100);
  CHECK(accepted < 5000);
}

TEST_CASE("safetensors: writing refuses what would not be read") {
  const ScratchFolder folder;
  const std::string path = folder / "a";
  const Tensor x = zeros({1});
  CHECK_THROWS_WITH(write_safetensors(path, {{"x", x}, {"x", x}}), path + ": the name 'x' is reserved or stands twice");
  CHECK_THROWS_WITH(write_safetensors(path, {{"__metadata__", x}}),
                    path + ": the name '__metadata__' is reserved or stands twice");
  CHECK_THROWS_WITH(write_safetensors(path, {{"x", Tensor()}}), path + ": tensor 'x' is undefined");
  CHECK_THROWS_WITH(write_safetensors(path, {{"\xff", x}}), path + ": a name or the metadata is not UTF-8");
  CHECK(folder.entries().empty());
}

TEST_CASE("safetensors: rows are streamed") {
  const ScratchFolder folder;
  const std::string path = folder / "features";
  const Tensor rows = from_vector(std::vector<float>{1, 2, 3, 4, 5, 6}, {3, 2});
  {
    SafetensorsWriter writer(path, "features", {10, 2}, DType::f32, {{"names", std::string(500, 'n')}});
    writer.append(rows);
    CHECK_FALSE(std::filesystem::exists(path));
    writer.append(rows.rows(0, 1));
    CHECK(writer.rows() == 4);
    CHECK_THROWS_WITH(writer.append(zeros({7, 2})), path + ": 7 rows after 4, but tensor 'features' is (10,2)");
    CHECK_THROWS_AS(writer.append(zeros({1, 3})), Error);
    CHECK_THROWS_AS(writer.append(zeros({1, 2}, DType::f16)), Error);
    CHECK_THROWS_AS(writer.append(zeros({2})), Error);
    writer.finish({{"names", "four"}, {"key", "k"}});
  }
  const SafetensorsFile file = read_safetensors(path);
  CHECK(file.metadata == Metadata{{"names", "four"}, {"key", "k"}});
  CHECK(find(file, "features").shape() == Shape{4, 2});
  CHECK(find(file, "features").to_vector<float>() == std::vector<float>{1, 2, 3, 4, 5, 6, 1, 2});
  {
    SafetensorsWriter writer(folder / "given-up", "x", {1, 2}, DType::f32);
    writer.append(rows.rows(0, 1));
  }
  {
    SafetensorsWriter writer(folder / "none", "x", {0, 2}, DType::f16);
    writer.finish();
  }
  CHECK(find(read_safetensors(folder / "none"), "x").shape() == Shape{0, 2});
  SafetensorsWriter writer(folder / "long", "x", {1, 2}, DType::f32);
  CHECK_THROWS_WITH(writer.finish({{"k", std::string(5000, 'm')}}),
                    (folder / "long") + ": the metadata has grown by more than there is room for");
}

TEST_CASE("file: atomic writing") {
  const ScratchFolder folder;
  const std::string path = folder / "a.txt";
  write_file_atomically(path, "first");
  SECTION("an unfinished write leaves the old content and no other file") {
    {
      AtomicFile file(path);
      file.write("second");
      CHECK(read_text_file(path) == "first");
      CHECK_THROWS_WITH(AtomicFile(path), path + ": another process is writing it");
    }
    CHECK(read_text_file(path) == "first");
    CHECK(folder.entries() == std::vector<std::string>{"a.txt"});
  }
  SECTION("what a killed process left behind is reused") {
    folder.file("a.txt.tmp", "a long text of another run");
    write_file_atomically(path, "second");
    CHECK(read_text_file(path) == "second");
    CHECK(folder.entries() == std::vector<std::string>{"a.txt"});
  }
  SECTION("links are followed") {
    std::filesystem::create_symlink("a.txt", folder / "link");
    write_file_atomically(folder / "link", "second");
    CHECK(std::filesystem::is_symlink(folder / "link"));
    CHECK(read_text_file(path) == "second");
  }
  SECTION("a folder, and a folder that is not there") {
    CHECK_THROWS_WITH(write_file_atomically(folder.path(), ""), folder.path() + ": is a folder");
    CHECK_THROWS_WITH(write_file_atomically(folder / "no/a", ""), (folder / "no/a") + ": No such file or directory");
    CHECK_THROWS_WITH(read_text_file(folder.path()), folder.path() + ": Is a directory");
  }
  SECTION("a device is written directly") {
    write_file_atomically("/dev/null", "x");
    CHECK(std::filesystem::is_character_file("/dev/null"));
    CHECK_THROWS_WITH(write_file_atomically("/dev/full", "x"), "/dev/full: No space left on device");
  }
  SECTION("a write that fails half way leaves nothing") {
    // A limit on the size of files stands for the full disk: it works for root and without a file system of one's own.
    rlimit before;
    REQUIRE(getrlimit(RLIMIT_FSIZE, &before) == 0);
    const auto old = std::signal(SIGXFSZ, SIG_IGN);
    const rlimit small{1 << 16, before.rlim_max};
    REQUIRE(setrlimit(RLIMIT_FSIZE, &small) == 0);
    const std::string large(1 << 17, 'x');
    CHECK_THROWS_WITH(write_file_atomically(path, large), path + ": File too large");
    CHECK_THROWS_WITH(write_safetensors(path, {{"x", zeros({1 << 16})}}), path + ": File too large");
    setrlimit(RLIMIT_FSIZE, &before);
    std::signal(SIGXFSZ, old);
    CHECK(read_text_file(path) == "first");
    CHECK(folder.entries() == std::vector<std::string>{"a.txt"});
  }
  SECTION("a folder that cannot be written") {
    if (geteuid() != 0) {
      REQUIRE(chmod(folder.path().c_str(), 0555) == 0);
      CHECK_THROWS_WITH(write_file_atomically(folder / "b", "x"), (folder / "b") + ": Permission denied");
      REQUIRE(chmod(folder.path().c_str(), 0755) == 0);
    }
  }
}
