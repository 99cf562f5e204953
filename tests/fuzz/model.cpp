// Model files: a safetensors file whose metadata hold configuration and vocabulary.
#include "glimpse/models/captioner/model.h"

#include <unistd.h>

#include <filesystem>

#include "fuzz.h"
#include "glimpse/engine/io/file.h"
#include "glimpse/engine/random.h"
#include "memory_file.h"
#include "safetensors_bytes.h"

namespace glimpse::fuzz {
namespace {

void read(std::string_view bytes) {
  const MemoryFile file(bytes);
  load_model(file.path());
}

std::vector<std::string> seeds() {
  Config config;
  config.encoder.name = "scratch";
  config.encoder.image_size = 32;
  config.decoder.embedding = config.decoder.attention_size = config.decoder.hidden = 2;
  Generator generator(1);
  CaptionModel model = make_model(
      config, Vocabulary({"<pad>", "<start>", "<end>", "<unk>", "a", "dog"}, WordRule::unicode), generator);
  const std::string path = std::filesystem::temp_directory_path() / ("glimpse-fuzz-model-" + std::to_string(getpid()));
  save_model(model, path);
  const std::string bytes = read_text_file(path);
  std::filesystem::remove(path);
  return {bytes};
}

}  // namespace

const Target target{read, seeds, mutate_safetensors};

}  // namespace glimpse::fuzz
