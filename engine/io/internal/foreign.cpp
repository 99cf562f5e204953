#include "glimpse/engine/io/internal/foreign.h"

#include <algorithm>
#include <cctype>

#include "glimpse/kernels/base/check.h"

namespace glimpse {
namespace {

struct Kind {
  std::string_view first_bytes;
  const char* what;
};

using namespace std::string_view_literals;

constexpr Kind kinds[] = {
    {"\x89HDF\r\n\x1a\n"sv, "an HDF5 file (Keras), which is not supported; save the weights as safetensors"},
    {"GGUF"sv, "a GGUF file, which is not supported; take the model's safetensors file"},
    {"\x93NUMPY"sv, "a single NumPy array (.npy), not a file of named tensors"},
    {"\x1f\x8b"sv, "compressed by gzip; unpack it first"},
    {"\xfd"
     "7zXZ\0"sv,
     "compressed by xz; unpack it first"},
    {"BZh"sv, "compressed by bzip2; unpack it first"},
    {"\x28\xb5\x2f\xfd"sv, "compressed by zstd; unpack it first"},
    {"7z\xbc\xaf\x27\x1c"sv, "a 7z archive; unpack it first"},
    {"\xff\xd8\xff"sv, "a JPEG picture"},
    {"\x89PNG\r\n\x1a\n"sv, "a PNG picture"},
    {"%PDF-"sv, "a PDF document"},
};

/// Whether `text` begins with `start`, written in small letters, after blanks and a byte order mark.
bool begins_as(std::string_view text, std::string_view start) {
  if (text.starts_with("\xef\xbb\xbf")) text.remove_prefix(3);
  text.remove_prefix(std::min(text.find_first_not_of(" \t\r\n"), text.size()));
  return text.size() >= start.size() && std::equal(start.begin(), start.end(), text.begin(), [](char a, char b) {
           return a == static_cast<char>(std::tolower(static_cast<unsigned char>(b)));
         });
}

/// "123 bytes" of the line "size 123" of a pointer of Git LFS.
std::string lfs_size(std::string_view bytes) {
  const std::size_t at = bytes.find("\nsize ");
  if (at == std::string_view::npos) return "a file";
  const std::string_view rest = bytes.substr(at + 6, 20);
  return fmt::format("a file of {} bytes", rest.substr(0, rest.find_first_not_of("0123456789")));
}

}  // namespace

void refuse_foreign(std::string_view bytes, const std::string& path) {
  check(!bytes.empty(), "{}: the file is empty", path);
  check(!bytes.starts_with("version https://git-lfs.github.com/spec/"),
        "{}: a pointer of Git LFS that stands for {}, not the weights themselves; `git lfs pull` fetches them", path,
        lfs_size(bytes.substr(0, 1000)));
  for (const char* start : {"<!doctype html", "<html", "<?xml", "<head", "<!--"})
    check(!begins_as(bytes, start), "{}: a web page, not weights: the download did not give the file itself", path);
  for (const Kind& kind : kinds) check(!bytes.starts_with(kind.first_bytes), "{}: {}", path, kind.what);
  constexpr std::size_t tar_magic_at = 257;
  check(bytes.size() < tar_magic_at + 5 || bytes.substr(tar_magic_at, 5) != "ustar",
        "{}: a tar archive: unpack it first; if it is one of PyTorch before 0.1.10, load and save it with a current "
        "PyTorch",
        path);
}

}  // namespace glimpse
