#include <cstring>
#include <filesystem>
#include <limits>

#include "catch.h"
#include "error_of.h"
#include "glimpse/engine/io/file.h"
#include "glimpse/engine/io/safetensors.h"
#include "glimpse/engine/io/tensor_file.h"
#include "glimpse/kernels/base/error.h"
#include "memory_of.h"
#include "scratch_folder.h"

using namespace glimpse;
using glimpse::test::error_of;
using glimpse::test::memory_of;
namespace fs = std::filesystem;

namespace {

std::string golden(const std::string& name) { return GLIMPSE_TEST_DATA "/torch/" + name; }

const Tensor& find(const std::vector<NamedTensor>& tensors, const std::string& name) {
  for (const NamedTensor& t : tensors)
    if (t.name == name) return t.tensor;
  throw Error("no tensor " + name);
}

std::vector<std::string> names(const std::vector<NamedTensor>& tensors) {
  std::vector<std::string> list;
  for (const NamedTensor& t : tensors) list.push_back(t.name);
  return list;
}

std::string message_of(const std::string& path) {
  return error_of([&] { read_tensors(path); });
}

void check_state(const std::vector<NamedTensor>& state) {
  CHECK(names(state) == std::vector<std::string>{"features.weight", "features.transposed", "features.column",
                                                 "features.row", "channels_last", "f64", "f16", "bf16", "i32", "i16",
                                                 "i8", "u8", "bool", "empty", "num_batches_tracked"});
  const auto floats = [&](const char* name) { return find(state, name).to_vector<float>(); };
  CHECK(find(state, "features.weight").shape() == Shape{3, 4});
  CHECK(floats("features.weight") == std::vector<float>{0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11});
  CHECK(find(state, "features.transposed").shape() == Shape{4, 3});
  CHECK(floats("features.transposed") == std::vector<float>{0, 4, 8, 1, 5, 9, 2, 6, 10, 3, 7, 11});
  CHECK(floats("features.column") == std::vector<float>{2, 6, 10});
  CHECK(floats("features.row") == std::vector<float>{4, 5, 6, 7});
  CHECK(find(state, "channels_last").shape() == Shape{1, 2, 2, 4});
  CHECK(floats("channels_last") == std::vector<float>{0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15});
  CHECK(find(state, "f64").dtype() == DType::f64);
  CHECK(find(state, "f64").item() == 0.1);
  CHECK(find(state, "f16").dtype() == DType::f16);
  CHECK(floats("f16") == std::vector<float>{1, -0.5f});
  CHECK(find(state, "bf16").dtype() == DType::bf16);
  CHECK(floats("bf16") == std::vector<float>{1.5f, -2});
  for (const auto& [name, value] : std::vector<std::pair<std::string, double>>{
           {"i32", 7}, {"i16", -7}, {"i8", -8}, {"u8", 255}, {"num_batches_tracked", 2048}}) {
    CHECK(find(state, name).dtype() == DType::i32);
    CHECK(find(state, name).item() == value);
  }
  CHECK(floats("bool") == std::vector<float>{1, 0});
  CHECK(find(state, "empty").shape() == Shape{0, 3});
}

void check_checkpoint(const std::vector<NamedTensor>& tensors) {
  CHECK(names(tensors) == std::vector<std::string>{"model.weight", "model.7", "list.0", "list.1.deep"});
  CHECK(find(tensors, "model.weight").to_vector<float>() == std::vector<float>{1, 2});
  CHECK(find(tensors, "model.7").item() == 3);
  CHECK(find(tensors, "list.0").item() == 4);
  CHECK(find(tensors, "list.1.deep").item() == 5);
}

/// The format before 1.6 up to the pickle of the object, as state_old.pth has it.
std::string old_head() {
  const std::string head = read_text_file(golden("state_old.pth")).substr(0, 0x80);
  return head.substr(0, head.find("\x80\x02M\xe9\x03.") + 6) + "\x80\x02}.";
}

template <class T>
std::string raw(T value) {
  return std::string(reinterpret_cast<const char*>(&value), sizeof(T));
}

// Pieces of a pickle.
std::string integer(std::int64_t value) { return "\x8a\x08" + raw(value); }
std::string text(const std::string& value) { return "X" + raw(static_cast<std::uint32_t>(value.size())) + value; }
std::string tuple(const std::vector<std::int64_t>& values) {
  std::string pickle = "(";
  for (const std::int64_t value : values) pickle += integer(value);
  return pickle + "t";
}

/// A file of one tensor x that looks at a storage of `numel` floats, 0, 1, 2, ..., of which there are five.
std::string window(std::int64_t numel, std::int64_t offset, const std::vector<std::int64_t>& sizes,
                   const std::vector<std::int64_t>& strides) {
  const std::string storage =
      "(" + text("storage") + "ctorch\nFloatStorage\n" + text("0") + text("cpu") + integer(numel) + "tQ";
  std::string file = old_head() + "\x80\x02}" + text("x") + "ctorch._utils\n_rebuild_tensor_v2\n(" + storage +
                     integer(offset) + tuple(sizes) + tuple(strides) + "\x89}tRs.";
  file += "\x80\x02]" + text("0") + "a." + raw(numel);
  for (float value = 0; value < 5; ++value) file += raw(value);
  return file;
}

/// Reads mutated copies of a file; whatever they hold, nothing worse than an Error may happen.
void mutate(const std::string& name, int times) {
  const ScratchFolder folder;
  const std::string valid = read_text_file(golden(name));
  std::uint64_t state = 7;
  const auto random = [&](std::uint64_t n) {
    state = state * 6364136223846793005u + 1442695040888963407u;
    return (state >> 33) % n;
  };
  int accepted = 0;
  for (int i = 0; i < times; ++i) {
    std::string bytes = valid;
    for (std::uint64_t changes = 1 + random(3); changes > 0 && !bytes.empty(); --changes) {
      const std::size_t at = random(bytes.size());
      const std::size_t length = std::min<std::size_t>(1 + random(8), bytes.size() - at);
      switch (random(8)) {
        case 0:
          bytes.erase(at, length);
          break;
        case 1:
          bytes.insert(at, bytes.substr(random(bytes.size()), length));
          break;
        case 2:
          bytes.resize(at);
          break;
        case 3:
          bytes[at] = "\xff\x7f\x80\x01"[random(4)];
          break;
        case 4:
          bytes[at] = "(.)]}]eusatRQbqhcXKJM0\x85\x86\x87\x89\x8a"[random(27)];
          break;
        default:
          bytes[at] = static_cast<char>(random(256));
          break;
      }
    }
    try {
      for (const NamedTensor& t : read_tensors(folder.file("x", bytes))) t.tensor.to_vector<double>();
      ++accepted;
    } catch (const Error&) {
    }
  }
  CHECK(accepted > times / 50);
  CHECK(accepted < times * 9 / 10);
}

}  // namespace

TEST_CASE("torch file: a state_dict, in both formats") {
  check_state(read_tensors(golden("state.pth")));
  check_state(read_tensors(golden("state_old.pth")));
}

TEST_CASE("torch file: a nested checkpoint") {
  check_checkpoint(read_tensors(golden("checkpoint.pth")));
  check_checkpoint(read_tensors(golden("checkpoint_protocol4.pth")));
  check_checkpoint(read_tensors(golden("zip64.pth")));
}

TEST_CASE("torch file: contiguous tensors are not copied") {
  const std::size_t before = memory_stats().in_use;
  const auto weight = [] {
    const auto tensors = read_tensors(golden("state.pth"));
    return find(tensors, "features.row");
  }();
  CHECK(memory_stats().in_use == before);
  CHECK(weight.to_vector<float>()[3] == 7);
}

TEST_CASE("torch file: what cannot be read is named") {
  const auto expect = [](const std::string& name, const std::string& reason) {
    INFO(name);
    CHECK(message_of(golden(name)) == golden(name) + ": " + reason);
  };
  expect("compressed.pth", "its entry checkpoint/data.pkl is compressed or encrypted");
  expect("big_endian.pth", "big-endian data is not supported");
  expect("other.zip", "a zip archive, but not one of PyTorch's: it has no data.pkl");
  expect("complex.pth", "tensor 'c': elements of torch.ComplexFloatStorage are not supported");
  expect("repeated.pth", "tensor 'x': shape (1000) repeats the 1 elements of its storage; save a contiguous copy");
  expect("large_integer.pth", "tensor 'x': element 0 is 1099511627776, which does not fit i32");

  const ScratchFolder folder;
  const std::string whole = read_text_file(golden("state.pth"));
  const std::string cut = folder.file("cut", whole.substr(0, whole.size() / 2));
  CHECK(message_of(cut) == cut + ": cut off: the zip archive has no directory");
  const std::string old = read_text_file(golden("state_old.pth"));
  const std::string cut_old = folder.file("cut_old", old.substr(0, old.size() - 1));
  CHECK_THAT(message_of(cut_old), Contains(cut_old + +": cut off or damaged: "));
  std::string tar(512, '\0');
  std::memcpy(tar.data() + 257, "ustar", 5);
  const std::string tar_path = folder.file("tar", tar);
  CHECK_THROWS_WITH(read_tensors(tar_path), Contains("a tar archive") && Contains("PyTorch before 0.1.10"));
  const std::string text = folder.file("text", "hello, world");
  CHECK(message_of(text) == text + ": neither a safetensors file nor one of torch.save");
  CHECK(message_of(folder / "none") == (folder / "none") + ": No such file or directory");
}

TEST_CASE("torch file: a tensor must lie inside its storage") {
  const ScratchFolder folder;
  const auto read = [&](const std::string& bytes) { return find(read_tensors(folder.file("x", bytes)), "x"); };
  CHECK(read(window(5, 1, {2, 2}, {2, 1})).to_vector<float>() == std::vector<float>{1, 2, 3, 4});
  CHECK(read(window(5, 0, {2, 2}, {1, 3})).to_vector<float>() == std::vector<float>{0, 3, 1, 4});
  CHECK(read(window(5, 4, {}, {})).item() == 4);
  CHECK(read(window(5, 9, {0, 3}, {3, 1})).numel() == 0);
  const auto refuses = [&](const std::string& bytes, const std::string& reason) {
    const std::string message = message_of(folder.file("x", bytes));
    INFO(message);
    CHECK(message.find(reason) != std::string::npos);
  };
  constexpr std::int64_t huge = std::int64_t{1} << 62;
  refuses(window(5, 2, {2, 2}, {2, 1}),
          "tensor 'x': shape (2,2), strides (2,1) and offset 2 go past its storage of 5 elements");
  refuses(window(5, 5, {}, {}), "go past its storage of 5");
  refuses(window(5, -1, {2}, {1}), "go past its storage of 5");
  refuses(window(5, 0, {5}, {huge}), "go past its storage of 5");
  refuses(window(5, huge, {2}, {huge}), "go past its storage of 5");
  refuses(window(5, 0, {huge, 4}, {0, 0}), "overflows");
  refuses(window(5, 0, {6}, {0}), "repeats the 5 elements of its storage");
  refuses(window(5, 0, {-2}, {1}), "a size or a stride is no number");
  refuses(window(5, 0, {2}, {-1}), "a size or a stride is no number");
  refuses(window(5, 0, {2}, {}), "1 sizes and 0 strides");
  constexpr std::int64_t largest = std::numeric_limits<std::int64_t>::max();
  CHECK(read(window(5, 1, {2, 1}, {2, largest})).to_vector<float>() == std::vector<float>{1, 3});
  refuses(window(5, 0, {1, 1, 1, 1, 1, 1, 1}, {1, 1, 1, 1, 1, 1, 1}), "7 dimensions; at most 6");
  refuses(window(-1, 0, {1}, {1}), "a storage of -1 elements");
  refuses(window(huge, 0, {1}, {1}), "a storage of 4611686018427387904 elements");
  refuses(window(6, 0, {1}, {1}), "24 bytes are wanted");
}

TEST_CASE("torch file: pickles are not executed") {
  const ScratchFolder folder;
  const std::string proof = folder / "proof", command = text("touch " + proof);
  const std::string evil[] = {"cos\nsystem\n" + command + "\x85R.", "(" + command + "ios\nsystem\n.",
                              "(cos\nsystem\n" + command + "o.", "cos\nsystem\n" + command + "\x85\x81.",
                              text("os") + text("system") + "\x93" + command + "\x85R."};
  for (const std::string& pickle : evil) {
    const std::string path = folder.file("evil", old_head() + "\x80\x02" + pickle + "\x80\x02].");
    CHECK(read_tensors(path).empty());
    CHECK_FALSE(fs::exists(proof));
  }
}

TEST_CASE("torch file: what a training loop saves beside the weights is passed over") {
  // argparse.Namespace(lr=0.5), numpy.float64(0), a deque, a set, a long number, text of protocol 0; then a tensor.
  const std::string zero(8, '\0');
  const std::string extras = text("args") + "cargparse\nNamespace\n)\x81}" + text("lr") + "G?\xe0" + zero.substr(2) +
                             "sb" + text("best") + "cnumpy.core.multiarray\nscalar\ncnumpy\ndtype\n" + text("f8") +
                             "\x89\x88\x87R(K\3" + text("<") + "NNNJ\xff\xff\xff\xffJ\xff\xff\xff\xff" +
                             std::string("K\0tbC\x08", 6) + zero + "\x86R" + text("losses") +
                             "ccollections\ndeque\n)R(K\1K\2e" + text("seen") + "\x8f(K\1\x90" + text("seed") +
                             "L123456789012345678901234L\n" + text("name") + "S'net'\n" + text("frozen") + "(K\1\x91";
  const std::string storage =
      "(" + text("storage") + "ctorch\nFloatStorage\n" + text("0") + text("cpu") + integer(2) + "tQ";
  const std::string tensor =
      "ctorch._utils\n_rebuild_tensor_v2\n(" + storage + integer(0) + tuple({2}) + tuple({1}) + "\x89}tR";
  const std::string end = "\x80\x02]" + text("0") + "a." + raw(std::int64_t{2}) + raw(1.f) + raw(2.f);
  const ScratchFolder folder;
  const std::string path =
      folder.file("x", old_head() + "\x80\x02}(" + extras + text("model") + "}" + text("w") + tensor + "su." + end);
  const auto tensors = read_tensors(path);
  CHECK(names(tensors) == std::vector<std::string>{"model.w"});
  CHECK(find(tensors, "model.w").to_vector<float>() == std::vector<float>{1, 2});

  // A whole module: its class is not made, its parts are found.
  const auto part = [](const char* name, const std::string& content) { return text(name) + "}" + content; };
  const std::string parameters = part("_parameters", text("w") + tensor + "s");
  const std::string child = "cnet\nConv\n)\x81}(" + parameters + part("_buffers", "") + part("_modules", "") + "ub";
  const std::string module =
      "cnet\nNet\n)\x81}(" + part("_parameters", "") + part("_modules", text("conv1") + child + "s") + "ub.";
  CHECK(names(read_tensors(folder.file("module", old_head() + "\x80\x02" + module + end))) ==
        std::vector<std::string>{"conv1.w"});
}

TEST_CASE("torch file: a checkpoint of a training loop, and a whole module") {
  for (const char* file : {"training.pth", "training_old.pth"}) {
    INFO(file);
    const auto tensors = read_tensors(golden(file));
    CHECK(names(tensors) == std::vector<std::string>{"state_dict.module.weight", "state_dict.module.bias",
                                                     "optimizer.state.0.step", "optimizer.state.0.exp_avg",
                                                     "optimizer.state.0.exp_avg_sq", "optimizer.state.1.step",
                                                     "optimizer.state.1.exp_avg", "optimizer.state.1.exp_avg_sq"});
    CHECK(find(tensors, "state_dict.module.weight").shape() == Shape{1, 2});
    CHECK(find(tensors, "optimizer.state.0.step").item() == 1);
  }
  const auto module = read_tensors(golden("whole_module.pth"));
  CHECK(names(module) == std::vector<std::string>{"0.weight", "0.bias"});
}

TEST_CASE("torch file: a small file does not ask for much memory") {
  const ScratchFolder folder;
  constexpr double megabytes = 1 << 20;
  const auto grown = [&](const std::string& bytes) {
    const std::string path = folder.file("x", bytes);
    return memory_of([&] { message_of(path); });
  };
  SECTION("a long key remembered and used again and again") {
    std::string pickle =
        "\x80\x02}(" + std::string("X") + raw(std::uint32_t{60000}) + std::string(60000, 'k') + std::string("q\0", 2);
    pickle += "}(";
    for (int i = 0; i < 20000; ++i) pickle += "M" + raw(static_cast<std::uint16_t>(i)) + "]";
    CHECK(grown(old_head() + pickle + "uu.") < 200 * megabytes);
    std::string deep = "\x80\x02" + text(std::string(60000, 'k')) + std::string("q\0", 2) + "]";
    for (int i = 0; i < 40; ++i) deep = deep + std::string("q\1", 2) + "0}(" + std::string("h\0h\1", 4) + "u";
    CHECK(grown(old_head() + deep + ".") < 200 * megabytes);
  }
  SECTION("a storage under many names") {
    constexpr int side = 700;
    const std::string storage =
        "(" + text("storage") + "ctorch\nFloatStorage\n" + text("0") + text("cpu") + integer(side * side) + "tQ";
    std::string pickle = "\x80\x02}(K\1ctorch._utils\n_rebuild_tensor_v2\n(" + storage + integer(0) +
                         tuple({side, side}) + tuple({1, side}) + "\x89}tR" + std::string("q\0", 2);
    for (int i = 2; i < 20000; ++i) pickle += "M" + raw(static_cast<std::uint16_t>(i)) + std::string("h\0", 2);
    const std::string path = folder.file("x", old_head() + pickle + "u.\x80\x02]" + text("0") + "a." +
                                                  raw(std::int64_t{side * side}) + std::string(4 * side * side, '\0'));
    CHECK_THAT(message_of(path), Contains("stand for more than four times the file's"));
    CHECK(memory_of([&] { message_of(path); }) < 300 * megabytes);
  }
  SECTION("a pickle of very many values") {
    CHECK_THAT(message_of(folder.file("x", old_head() + "\x80\x02(" + std::string(30'000'000, '}') + "t.")),
               Contains("its pickle has more than 5000000 opcodes"));
    CHECK(grown(old_head() + "\x80\x02(" + std::string(30'000'000, '}') + "t.") < 1100 * megabytes);
  }
  SECTION("names of a megabyte are not repeated in messages") {
    const std::string name(1'000'000, 'n');
    const std::string path = folder.file(
        "x", old_head() + "\x80\x02}" + text(name) + "ctorch._utils\n_rebuild_tensor_v2\n(K\1K\1K\1K\1tRs.");
    CHECK(message_of(path).size() < 3000);
  }
}

TEST_CASE("torch file: a pickle that refers to itself") {
  const std::string start = old_head() + "\x80\x02";
  const ScratchFolder folder;
  // A list that holds itself; then lists of lists, each holding the one before ten times.
  CHECK_THAT(message_of(folder.file("circle", start + std::string("]q\0h\0a.", 7))), Contains("nested too deeply"));
  std::string many = start + std::string("]q\0", 3);
  for (char i = 1; i < 25; ++i) {
    many += "](";
    for (int j = 0; j < 10; ++j) many += {'h', static_cast<char>(i - 1)};
    many += {'e', 'q', i};
  }
  CHECK_THAT(message_of(folder.file("many", many + ".")), Contains("nested too deeply"));
}

TEST_CASE("torch file: no mutation does worse than throw") {
  mutate("checkpoint.pth", 3000);
  mutate("state_old.pth", 3000);
  mutate("zip64.pth", 1500);
}

TEST_CASE("torch file: safetensors are told by their content") {
  const ScratchFolder folder;
  const std::string path = folder / "weights.pth";
  write_safetensors(path, {{"x", full({2}, 3)}});
  CHECK(find(read_tensors(path), "x").to_vector<float>() == std::vector<float>{3, 3});
}
