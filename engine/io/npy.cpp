#include "glimpse/engine/io/npy.h"

#include <charconv>
#include <cstring>
#include <optional>

#include "glimpse/engine/io/file.h"
#include "glimpse/engine/io/internal/stored.h"
#include "glimpse/kernels/base/check.h"

namespace glimpse {
namespace {

constexpr std::string_view magic = "\x93NUMPY";
/// NumPy itself reads 10,000 bytes unless it is told otherwise.
constexpr std::uint32_t longest_header = 65535;

struct Header {
  std::string dtype;
  bool fortran_order = false;
  std::vector<std::int64_t> sizes;
};

/// Parses the header's Python dictionary, of which NumPy writes exactly three keys with literal values.
class HeaderParser {
 public:
  HeaderParser(const std::string& path, std::string_view text) : path_(path), rest_(text) {}

  Header parse() {
    Header header;
    bool dtype = false, order = false, shape = false;
    expect('{');
    while (!accept('}')) {
      const std::string key = text();
      expect(':');
      if (key == "descr" && !dtype) {
        header.dtype = text();
        dtype = true;
      } else if (key == "fortran_order" && !order) {
        header.fortran_order = boolean();
        order = true;
      } else if (key == "shape" && !shape) {
        header.sizes = tuple();
        shape = true;
      } else {
        bad();
      }
      if (!accept(',')) {
        expect('}');
        break;
      }
    }
    skip_space();
    if (!rest_.empty() || !dtype || !order || !shape) bad();
    return header;
  }

 private:
  [[noreturn]] void bad() const { fail("{}: the .npy header is damaged, or of a kind that is not supported", path_); }
  void skip_space() {
    while (!rest_.empty() && (rest_[0] == ' ' || rest_[0] == '\n')) rest_.remove_prefix(1);
  }
  bool accept(std::string_view token) {
    skip_space();
    if (!rest_.starts_with(token)) return false;
    rest_.remove_prefix(token.size());
    return true;
  }
  bool accept(char token) { return accept(std::string_view(&token, 1)); }
  void expect(char token) {
    if (!accept(token)) bad();
  }
  std::string text() {
    skip_space();
    if (rest_.empty() || (rest_[0] != '\'' && rest_[0] != '"')) bad();
    const std::size_t end = rest_.find(rest_[0], 1);
    if (end == std::string_view::npos) bad();
    const std::string result(rest_.substr(1, end - 1));
    rest_.remove_prefix(end + 1);
    return result;
  }
  bool boolean() {
    if (accept("True")) return true;
    if (!accept("False")) bad();
    return false;
  }
  std::vector<std::int64_t> tuple() {
    std::vector<std::int64_t> sizes;
    expect('(');
    while (!accept(')')) {
      skip_space();
      std::int64_t size = 0;
      const auto [end, error] = std::from_chars(rest_.data(), rest_.data() + rest_.size(), size);
      if (error != std::errc() || size < 0) bad();
      rest_.remove_prefix(end - rest_.data());
      sizes.push_back(size);
      if (!accept(',')) {
        expect(')');
        break;
      }
    }
    return sizes;
  }

  const std::string& path_;
  std::string_view rest_;
};

std::optional<StoredType> type_of(const std::string& dtype) {
  if (dtype == "<f4") return StoredType::f32;
  if (dtype == "<f8") return StoredType::f64;
  if (dtype == "<f2") return StoredType::f16;
  if (dtype == "<i4") return StoredType::i32;
  if (dtype == "<i8") return StoredType::i64;
  return std::nullopt;
}

const char* npy_name_of(DType dtype) {
  switch (dtype) {
    case DType::f64:
      return "<f8";
    case DType::f16:
      return "<f2";
    case DType::i32:
      return "<i4";
    default:
      return "<f4";
  }
}

}  // namespace

Tensor read_npy(const std::string& path) {
  const auto file = std::make_shared<const MappedFile>(path);
  const std::string_view bytes = file->bytes();
  check(bytes.starts_with(magic) && bytes.size() >= magic.size() + 2, "{}: not a .npy file", path);
  const int version = static_cast<unsigned char>(bytes[magic.size()]);
  check(version == 1 || version == 2 || version == 3, "{}: .npy version {} is not supported", path, version);
  const std::size_t length_at = magic.size() + 2, length_bytes = version == 1 ? 2 : 4;
  std::uint32_t length = 0;
  check(bytes.size() >= length_at + length_bytes, "{}: cut off within the .npy header", path);
  std::memcpy(&length, bytes.data() + length_at, length_bytes);
  const std::size_t begin = length_at + length_bytes;
  check(length <= bytes.size() - begin, "{}: cut off within the .npy header", path);
  check(length <= longest_header, "{}: a .npy header of {} bytes; at most {} are supported", path, length,
        longest_header);

  const Header header = HeaderParser(path, bytes.substr(begin, length)).parse();
  const std::optional<StoredType> type = type_of(header.dtype);
  check(type.has_value(), "{}: dtype '{:.100}' is not supported; it must be <f2, <f4, <f8, <i4 or <i8", path,
        header.dtype);
  check(header.sizes.size() <= static_cast<std::size_t>(Shape::max_rank), "{}: {} dimensions; at most {} are supported",
        path, header.sizes.size(), Shape::max_rank);
  check(!header.fortran_order || header.sizes.size() < 2, "{}: Fortran order is not supported; save a C-ordered array",
        path);
  const std::optional<std::uint64_t> numel = checked_numel(header.sizes);
  std::uint64_t needed = 0;
  check(numel && !__builtin_mul_overflow(*numel, size_of(*type), &needed), "{}: shape ({}) overflows", path,
        fmt::join(header.sizes, ","));
  const std::uint64_t given = bytes.size() - begin - length;
  check(given == needed, "{}: shape ({}) of {} needs {} bytes, but the file has {}", path, fmt::join(header.sizes, ","),
        header.dtype, needed, given);
  return stored_tensor(file->data() + begin + length, file, Shape(header.sizes.begin(), header.sizes.end()), *type,
                       path);
}

void write_npy(const std::string& path, const Tensor& x) {
  check(x.defined(), "{}: undefined tensor", path);
  check(x.dtype() != DType::bf16, "{}: NumPy has no bf16; convert to f32 first", path);
  std::string header =
      fmt::format("{{'descr': '{}', 'fortran_order': False, 'shape': ({}{}), }}", npy_name_of(x.dtype()),
                  fmt::join(x.shape().begin(), x.shape().end(), ", "), x.rank() == 1 ? "," : "");
  // Data begins at a multiple of 64 bytes; at most six sizes always fit the two bytes of version 1's length.
  const std::size_t before = magic.size() + 4;
  header.resize((before + header.size() + 1 + 63) / 64 * 64 - before - 1, ' ');
  header += '\n';
  const char length[] = {static_cast<char>(header.size() & 0xff), static_cast<char>(header.size() >> 8)};
  const Tensor here = x.detach().to(Device::cpu);
  AtomicFile file(path);
  file.write(std::string(magic) + '\1' + '\0' + std::string(length, 2) + header);
  file.write(here.raw(), here.bytes());
  file.commit();
}

}  // namespace glimpse
