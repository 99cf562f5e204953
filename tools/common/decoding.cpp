#include "decoding.h"

#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <filesystem>

#include "glimpse/kernels/base/check.h"

namespace glimpse::tools {
namespace fs = std::filesystem;

void add_decoding_options(CLI::App& app, DecodingOptions& options) {
  app.add_option("--beam", options.captions.beam, "hypotheses kept at each word; 1: greedy")
      ->check(CLI::Range(1, 1000))
      ->capture_default_str();
  app.add_option("--max-words", options.captions.max_words, "longest caption")
      ->check(CLI::Range(1, 1000))
      ->capture_default_str();
  app.add_option("--length-penalty", options.captions.length_penalty, "score = log p / words^X; 0: log p")
      ->check(CLI::Range(0.0, 10.0))
      ->capture_default_str();
  app.add_flag("--suppress-unk,!--allow-unk", options.captions.suppress_unk,
               "never write <unk>, the word for all that is unknown; --allow-unk: do")
      ->default_str(options.captions.suppress_unk ? "on" : "off");
  app.add_option("--batch", options.captions.batch, "images at a time")
      ->check(CLI::Range(1, 4096))
      ->capture_default_str();
  app.add_option("--threads", options.threads, "0: one a core")->check(CLI::Range(0, 1024))->capture_default_str();
  add_device_options(app, options.device);
}

Device use_decoding_options(const DecodingOptions& options) {
  const Device device = use_device(options.device);
  use_threads(options.threads);
  return device;
}

std::string PictureNames::operator()(const std::string& path) {
  constexpr std::size_t longest = 160;  // bytes: a word of the caption is added, and names end at 255
  std::string joined;
  const fs::path plain = fs::path(path).replace_extension();
  for (const fs::path& part : plain)
    if (part != "/" && part != "." && part != ".." && !part.empty())
      joined += (joined.empty() ? "" : "_") + part.string();
  if (joined.size() > longest) {
    std::size_t begin = joined.size() - longest;
    while (begin < joined.size() && (static_cast<unsigned char>(joined[begin]) & 0xc0u) == 0x80u) ++begin;  // UTF-8
    joined.erase(0, begin);
  }
  if (joined.empty()) joined = "image";
  std::string name = joined;
  for (int n = 2; !taken_.insert(name).second; ++n) name = fmt::format("{}-{}", joined, n);
  return name;
}

void check_can_write(const std::string& path) {
  const fs::path parent = fs::absolute(path).parent_path();
  check(fs::is_directory(parent), "{}: there is no folder {}", path, parent.string());
  check(!fs::is_directory(path), "{}: is a folder", path);
  check(::access(parent.c_str(), W_OK | X_OK) == 0, "{}: cannot write there: {}", path, std::strerror(errno));
}

void check_can_write_folder(const std::string& path) {
  fs::path there = fs::absolute(path).lexically_normal();
  while (!fs::exists(there) && there.has_relative_path()) there = there.parent_path();
  check(fs::is_directory(there), "{}: {} is no folder", path, there.string());
  check(::access(there.c_str(), W_OK | X_OK) == 0, "{}: cannot write there: {}", path, std::strerror(errno));
}

}  // namespace glimpse::tools
