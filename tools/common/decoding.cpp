#include "decoding.h"

#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <filesystem>

#include "glimpse/kernels/base/check.h"
#include "program.h"

namespace glimpse::tools {
namespace fs = std::filesystem;

void add_decoding_options(CLI::App& app, DecodingOptions& options) {
  app.add_option("--beam", options.beam.beam, "hypotheses kept at each word; 1: greedy")
      ->check(CLI::Range(1, 1000))
      ->capture_default_str();
  app.add_option("--max-words", options.max_words, "longest caption")
      ->check(CLI::Range(1, 1000))
      ->capture_default_str();
  app.add_option("--length-penalty", options.beam.length_penalty, "score = log p / words^X; 0: log p")
      ->check(CLI::Range(0.0, 10.0))
      ->capture_default_str();
  app.add_flag("--suppress-unk", options.beam.suppress_unk, "never write <unk>");
  app.add_option("--batch", options.batch, "images at a time")->check(CLI::Range(1, 4096))->capture_default_str();
  app.add_option("--threads", options.threads, "0: one a core")->check(CLI::Range(0, 1024));
  app.add_option("--device", options.device, "cpu or cuda")->capture_default_str();
  app.add_option("--matmul", options.matmul, matmul_help)->capture_default_str();
}

Device use_decoding_options(DecodingOptions& options) {
  const Device device = use_device(options.device, options.matmul);
  use_threads(options.threads);
  options.beam.max_length = options.max_words + 1;
  return device;
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

AttentionMaps attention_maps(const Caption& caption, const Vocabulary& vocabulary, const Encoder& encoder) {
  check(caption.alphas.defined(), "attention maps: this model has no attention");
  AttentionMaps maps;
  maps.rows = static_cast<int>(encoder.grid_height());
  maps.columns = static_cast<int>(encoder.grid_width());
  maps.words = vocabulary.decode(caption.words);
  const auto weights = static_cast<std::ptrdiff_t>(maps.words.size()) * maps.rows * maps.columns;
  maps.weights.assign(caption.alphas.data<float>(), caption.alphas.data<float>() + weights);
  return maps;
}

}  // namespace glimpse::tools
