// Files of tensors whatever their format: what is weights, what is not, and files that name other files.

#include <limits>

#include "catch.h"
#include "error_of.h"
#include "glimpse/engine/io/safetensors.h"
#include "glimpse/engine/io/tensor_file.h"
#include "glimpse/kernels/base/error.h"
#include "scratch_folder.h"

using namespace glimpse;
using glimpse::test::error_of;

namespace {

const std::string index_name = "model.safetensors.index.json";

std::vector<std::string> names(const std::vector<NamedTensor>& tensors) {
  std::vector<std::string> list;
  for (const NamedTensor& t : tensors) list.push_back(t.name);
  return list;
}

/// Two parts with the tensors a, b and c.
std::string write_parts(const ScratchFolder& folder) {
  write_safetensors(folder / "model-00001-of-00002.safetensors", {{"a", full({2}, 1)}, {"b", full({3}, 2)}});
  write_safetensors(folder / "model-00002-of-00002.safetensors", {{"c", full({1}, 3)}, {"unnamed", full({1}, 4)}});
  return folder.file(index_name, R"({"metadata": {"total_size": 24}, "weight_map": {
    "a": "model-00001-of-00002.safetensors", "b": "model-00001-of-00002.safetensors",
    "c": "model-00002-of-00002.safetensors"}})");
}

}  // namespace

TEST_CASE("tensor file: what is taken for weights and is something else is named") {
  const ScratchFolder folder;
  const auto refuses = [&](const std::string& bytes, const std::string& reason) {
    const std::string path = folder.file("weights.pth", bytes);
    INFO(reason);
    for (const std::string& message :
         {error_of([&] { read_tensors(path); }), error_of([&] { read_safetensors(path); })}) {
      CHECK_THAT(message, Contains(path + ": ") && Contains(reason));
      CHECK(message.size() < path.size() + 250);
    }
  };
  refuses("version https://git-lfs.github.com/spec/v1\noid sha256:4d7a2146\nsize 102530333\n",
          "a pointer of Git LFS that stands for a file of 102530333 bytes, not the weights themselves; `git lfs pull`");
  refuses("version https://git-lfs.github.com/spec/v1\n", "a pointer of Git LFS that stands for a file");
  refuses("<!DOCTYPE html>\n<html><head><title>Sign in</title>", "a web page, not weights");
  refuses("\n  <HTML lang=en>", "a web page, not weights");
  refuses("\xef\xbb\xbf<?xml version=\"1.0\"?><Error>", "a web page, not weights");
  refuses("", "the file is empty");
  refuses("\x89HDF\r\n\x1a\n........", "an HDF5 file (Keras)");
  refuses("GGUF\3........", "a GGUF file");
  refuses("\x1f\x8b\b.........", "compressed by gzip");
  refuses("\xff\xd8\xff\xe0 JFIF....", "a JPEG picture");
}

TEST_CASE("tensor file: text of another kind is no index") {
  const ScratchFolder folder;
  const auto message = [&](const std::string& text) {
    const std::string path = folder.file("x", text);
    return error_of([&] { read_tensors(path); });
  };
  CHECK_THAT(message("{\"error\": \"Repository not found\"}"), Contains("neither weights nor an index of them"));
  CHECK_THAT(message("{\"weight_map\": {\"a\": 1}}"), Contains("the file of tensor 'a' is no name"));
  CHECK_THAT(message("{\"weight_map\": {"), Contains("neither weights nor an index of them"));
  CHECK_THAT(message(R"({"weight_map": {"a": "x", "a": "y"}})"), Contains("line 1: 'a' stands twice in one object"));
  CHECK_THAT(message("{\"weight_map\": " + std::string(100000, '[')), Contains("nested more than 64 deep"));
  for (const std::string outside : {"../secret", "/etc/passwd", "..", ".", "", "parts/a"})
    CHECK_THAT(message("{\"weight_map\": {\"a\": \"" + outside + "\"}}"), Contains("does not lie beside it"));
  // An index that names itself is not followed.
  CHECK_THAT(message("{\"weight_map\": {\"a\": \"x\"}}"), Contains("neither a safetensors file nor one of torch.save"));
}

TEST_CASE("tensor file: parts that an index names") {
  const ScratchFolder folder;
  const std::string index = write_parts(folder);
  const std::vector<NamedTensor> tensors = read_tensors(index);
  CHECK(names(tensors) == std::vector<std::string>{"a", "b", "c"});
  CHECK(tensors[2].tensor.to_vector<float>() == std::vector<float>{3});
  CHECK(tensor_files(index) == std::vector<std::string>{index, folder / "model-00001-of-00002.safetensors",
                                                        folder / "model-00002-of-00002.safetensors"});
  const std::string part = folder / "model-00001-of-00002.safetensors";
  CHECK(tensor_files(part) == std::vector<std::string>{part});

  write_safetensors(part, {{"a", full({2}, 1)}});
  CHECK(error_of([&] { read_tensors(index); }) == part + ": has no tensor 'b', which " + index + " says it has");
  std::filesystem::remove(part);
  CHECK(error_of([&] { read_tensors(index); }) == part + ": No such file or directory");
}

TEST_CASE("tensor file: a tensor is read when it is asked for") {
  const ScratchFolder folder;
  std::string header = R"({"big":{"dtype":"I64","shape":[1],"data_offsets":[0,8]},)"
                       R"("w":{"dtype":"F32","shape":[2],"data_offsets":[8,16]}})";
  header.resize(120, ' ');
  const std::uint64_t length = header.size();
  const std::string path = folder.file("x", std::string(reinterpret_cast<const char*>(&length), 8) + header +
                                                std::string("\0\0\0\0\1\0\0\0", 8) + std::string(8, '\0'));
  const std::vector<FileTensor> tensors = open_tensors(path);
  REQUIRE(tensors.size() == 2);
  CHECK(tensors[1].shape == Shape{2});
  CHECK(tensors[1].dtype == DType::f32);
  CHECK(tensors[1].read().to_vector<float>() == std::vector<float>{0, 0});
  CHECK(error_of([&] { tensors[0].read(); }) ==
        path + ": tensor 'big': element 0 is 4294967296, which does not fit i32");
}

TEST_CASE("tensor file: NaN and infinity are named by their tensor") {
  const Tensor good = full({300'000}, 1);
  const auto message = [&](float value, std::int64_t place, DType dtype) {
    const Tensor bad = full({300'000}, 1);
    bad.data<float>()[place] = value;
    return error_of([&] { check_finite({{"good", good.to(dtype)}, {"bad", bad.to(dtype)}}, "file"); });
  };
  const float nan = std::numeric_limits<float>::quiet_NaN(), infinity = std::numeric_limits<float>::infinity();
  for (const DType dtype : {DType::f32, DType::f64, DType::f16, DType::bf16}) {
    INFO(name_of(dtype));
    for (const std::int64_t place : {0, 65'535, 65'536, 299'999})
      for (const float value : {nan, infinity, -infinity, -nan})
        CHECK(message(value, place, dtype) == "file: tensor 'bad' holds NaN or infinity");
    CHECK(message(-60'000, 7, dtype) == "no error");
    CHECK(message(1e-7f, 7, dtype) == "no error");
  }
  CHECK(message(3e38f, 7, DType::f32) == "no error");
  check_finite({{"words", from_vector(std::vector<std::int32_t>{0x7f800000, -1})}, {"empty", zeros({0})}}, "file");
}
