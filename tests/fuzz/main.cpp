// Joins a target to libFuzzer. With --seeds=FOLDER the program writes its seeds there and ends.
#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <filesystem>

#include "fuzz.h"
#include "glimpse/engine/io/file.h"
#include "glimpse/kernels/base/error.h"

extern "C" std::size_t LLVMFuzzerMutate(std::uint8_t* data, std::size_t size, std::size_t most);

namespace glimpse::fuzz {

std::string mutated(std::string bytes, std::size_t growth) {
  const std::size_t size = bytes.size(), most = size + growth;
  bytes.resize(most);
  bytes.resize(LLVMFuzzerMutate(reinterpret_cast<std::uint8_t*>(bytes.data()), size, most));
  return bytes;
}

std::vector<std::string> files_in(const std::string& folder) {
  std::vector<std::string> names, files;
  for (const auto& entry : std::filesystem::directory_iterator(folder))
    if (entry.is_regular_file()) names.push_back(entry.path().string());
  std::sort(names.begin(), names.end());
  for (const std::string& name : names) files.push_back(read_text_file(name));
  return files;
}

}  // namespace glimpse::fuzz

using namespace glimpse;

// fontconfig keeps what it has found out about the system's fonts until the process ends.
extern "C" const char* __lsan_default_suppressions() { return "leak:libfontconfig"; }

extern "C" int LLVMFuzzerInitialize(int* argc, char*** argv) {
  constexpr std::string_view option = "--seeds=";
  for (int i = 1; i < *argc; ++i) {
    const std::string_view argument = (*argv)[i];
    if (!argument.starts_with(option)) continue;
    const std::string folder(argument.substr(option.size()));
    std::filesystem::create_directories(folder);
    int number = 0;
    for (const std::string& seed : fuzz::target.seeds())
      write_file_atomically(folder + "/seed" + std::to_string(number++), seed);
    std::exit(0);
  }
  return 0;
}

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  try {
    fuzz::target.read({reinterpret_cast<const char*>(data), size});
  } catch (const Error& error) {
    if (std::strlen(error.what()) == 0) std::abort();
  }
  return 0;
}

extern "C" std::size_t LLVMFuzzerCustomMutator(std::uint8_t* data, std::size_t size, std::size_t most,
                                               unsigned random) {
  // Broken lengths are tried too, now and then.
  if (!fuzz::target.mutate || random % 4 == 0) return LLVMFuzzerMutate(data, size, most);
  const std::string changed = fuzz::target.mutate({reinterpret_cast<const char*>(data), size}, random / 4);
  if (changed.size() > most) return LLVMFuzzerMutate(data, size, most);
  std::copy(changed.begin(), changed.end(), data);
  return changed.size();
}
