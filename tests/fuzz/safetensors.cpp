// Safetensors files, and indexes of several.
#include "glimpse/engine/io/safetensors.h"
#include "fuzz.h"
#include "glimpse/engine/io/file.h"
#include "memory_file.h"
#include "safetensors_bytes.h"

namespace glimpse::fuzz {
namespace {

void read(std::string_view bytes) {
  const MemoryFile file(bytes);
  for (const NamedTensor& t : read_tensors(file.path())) t.tensor.to_vector<double>();
}

std::vector<std::string> seeds() {
  return {read_text_file(GLIMPSE_TEST_DATA "/reference.safetensors"), R"({"weight_map": {"a": "none"}})"};
}

}  // namespace

const Target target{read, seeds, mutate_safetensors};

}  // namespace glimpse::fuzz
