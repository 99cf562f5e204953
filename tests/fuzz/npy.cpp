// NumPy's .npy files.
#include "glimpse/engine/io/npy.h"

#include "fuzz.h"
#include "glimpse/engine/io/file.h"
#include "memory_file.h"

namespace glimpse::fuzz {
namespace {

void read(std::string_view bytes) {
  const MemoryFile file(bytes);
  read_npy(file.path()).to_vector<double>();
}

std::vector<std::string> seeds() {
  std::vector<std::string> all;
  for (const char* name : {"/f4.npy", "/i8.npy", "/version2.npy", "/fortran.npy"})
    all.push_back(read_text_file(std::string(GLIMPSE_TEST_DATA) + name));
  return all;
}

}  // namespace

const Target target{read, seeds};

}  // namespace glimpse::fuzz
