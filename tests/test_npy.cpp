#include "catch.h"
#include "error_of.h"
#include "glimpse/engine/io/file.h"
#include "glimpse/engine/io/npy.h"
#include "glimpse/kernels/base/error.h"
#include "scratch_folder.h"

using namespace glimpse;
using glimpse::test::error_of;

namespace {

std::string npy(const std::string& header, const std::string& data, char version = 1) {
  std::string bytes = "\x93NUMPY";
  bytes += {version, 0, static_cast<char>(header.size()), static_cast<char>(header.size() >> 8)};
  if (version > 1) bytes += {0, 0};
  return bytes + header + data;
}

std::string message_of(const std::string& path) {
  return error_of([&] { read_npy(path); });
}

}  // namespace

TEST_CASE("npy: NumPy's files") {
  const Tensor f4 = read_npy(GLIMPSE_TEST_DATA "/f4.npy");
  CHECK(f4.shape() == Shape{2, 3});
  CHECK(f4.to_vector<float>() == std::vector<float>{0.5f, -1, 2, 3, 4, 1e30f});
  CHECK(read_npy(GLIMPSE_TEST_DATA "/i8.npy").to_vector<std::int32_t>() ==
        std::vector<std::int32_t>{-2147483647 - 1, 2147483647});
  const Tensor f2 = read_npy(GLIMPSE_TEST_DATA "/version2.npy");
  CHECK(f2.dtype() == DType::f16);
  CHECK(f2.item() == 1.5);
  const std::string fortran = GLIMPSE_TEST_DATA "/fortran.npy";
  CHECK(message_of(fortran) == fortran + ": Fortran order is not supported; save a C-ordered array");
}

TEST_CASE("npy: what is written is read, and is what NumPy writes") {
  const ScratchFolder folder;
  write_npy(folder / "f4", from_vector(std::vector<float>{0.5f, -1, 2, 3, 4, 1e30f}, {2, 3}));
  CHECK(read_text_file(folder / "f4") == read_text_file(GLIMPSE_TEST_DATA "/f4.npy"));
  for (const DType dtype : {DType::f32, DType::f64, DType::f16, DType::i32}) {
    for (const Shape& shape : {Shape{}, Shape{3}, Shape{0, 2}, Shape{1, 2, 1, 2, 1, 2}}) {
      INFO(name_of(dtype) << shape.str());
      const Tensor x = full(shape, 3, dtype);
      write_npy(folder / "x", x);
      const Tensor y = read_npy(folder / "x");
      CHECK(y.dtype() == dtype);
      CHECK(y.shape() == shape);
      CHECK(y.to_vector<double>() == x.to_vector<double>());
    }
  }
  CHECK_THROWS_WITH(write_npy(folder / "b", zeros({1}, DType::bf16)),
                    (folder / "b") + ": NumPy has no bf16; convert to f32 first");
  CHECK_THROWS_WITH(write_npy(folder / "b", Tensor()), (folder / "b") + ": undefined tensor");
}

TEST_CASE("npy: a long header is not repeated in messages") {
  const ScratchFolder folder;
  const auto message = [&](const std::string& header) {
    const auto length = static_cast<std::uint32_t>(header.size());
    const std::string path = folder.file(
        "x.npy", std::string("\x93NUMPY\2\0", 8) + std::string(reinterpret_cast<const char*>(&length), 4) + header);
    return error_of([&] { read_npy(path); });
  };
  const std::string rest = "', 'fortran_order': False, 'shape': ()}";
  CHECK(message("{'descr': '" + std::string(60'000, 'x') + rest).size() < 300);
  CHECK_THAT(message("{'descr': '" + std::string(100'000, 'x') + rest), Contains("at most 65535 are supported"));
}

TEST_CASE("npy: errors name the file and the reason") {
  const ScratchFolder folder;
  const std::string good = "{'descr': '<f4', 'fortran_order': False, 'shape': (2,), }\n", data(8, '\0');
  REQUIRE(message_of(folder.file("good", npy(good, data))) == "no error");
  REQUIRE(message_of(folder.file("good3", npy(good, data, 3))) == "no error");
  const std::string damaged = "the .npy header is damaged";
  const std::vector<std::pair<std::string, std::string>> list = {
      {"", "not a .npy file"},
      {"PK\3\4 is a zip", "not a .npy file"},
      {npy(good, data, 4), ".npy version 4 is not supported"},
      {npy(good, data).substr(0, 9), "cut off within the .npy header"},
      {npy(good, data).substr(0, 30), "cut off within the .npy header"},
      {npy(good, data.substr(1)), "shape (2) of <f4 needs 8 bytes, but the file has 7"},
      {npy(good, data + "x"), "shape (2) of <f4 needs 8 bytes, but the file has 9"},
      {npy("", data), damaged},
      {npy("{'descr': '<f4', 'fortran_order': False}", data), damaged},
      {npy("{'descr': '<f4', 'descr': '<f4', 'fortran_order': False, 'shape': (2,)}", data), damaged},
      {npy("{'descr': '<f4', 'fortran_order': 0, 'shape': (2,)}", data), damaged},
      {npy("{'descr': '<f4', 'fortran_order': False, 'shape': (-2,)}", data), damaged},
      {npy("{'descr': '<f4', 'fortran_order': False, 'shape': (2,", data), damaged},
      {npy("{'descr': '<f4', 'fortran_order': False, 'shape': (99999999999999999999,)}", data), damaged},
      {npy("{'descr': '<f4', 'fortran_order': False, 'shape': (2,)} x", data), damaged},
      {npy("{'descr': [('a', '<f4')], 'fortran_order': False, 'shape': (2,)}", data), damaged},
      {npy("{'descr': '>f4', 'fortran_order': False, 'shape': (2,)}", data), "dtype '>f4' is not supported"},
      {npy("{'descr': '<f4', 'fortran_order': False, 'shape': (1,1,1,1,1,1,2)}", data), "7 dimensions"},
      {npy("{'descr': '<f4', 'fortran_order': False, 'shape': (4294967296, 4294967296)}", data), "overflows"},
      {npy("{'descr': '<f4', 'fortran_order': False, 'shape': (4611686018427387906,)}", data), "overflows"},
      {npy("{'descr': '<i8', 'fortran_order': False, 'shape': (1,)}", std::string(8, '\x7f')), "does not fit i32"}};
  for (std::size_t i = 0; i < list.size(); ++i) {
    const std::string path = folder.file("bad" + std::to_string(i), list[i].first);
    const std::string message = message_of(path);
    INFO(i << ": " << message);
    CHECK(message.find(path + ": ") == 0);
    CHECK(message.find(list[i].second) != std::string::npos);
  }
}
