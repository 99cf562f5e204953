#include "glimpse/kernels/nvidia/dynamic_library.h"

#include <dlfcn.h>

#include <cstdlib>
#include <string_view>
#include <vector>

#include "glimpse/kernels/base/check.h"

namespace glimpse {
namespace {

std::vector<std::string> toolkit_folders() {
  std::vector<std::string> folders;
  for (const char* variable : {"CUDA_PATH", "CUDA_HOME"})
    if (const char* value = std::getenv(variable); value && *value) folders.push_back(std::string(value) + "/lib64/");
  folders.push_back("/usr/local/cuda/lib64/");
  return folders;
}

/// What dlopen says of its last failure.
std::string reason() {
  const char* text = dlerror();
  return text ? text : "unknown";
}

}  // namespace

DynamicLibrary::DynamicLibrary(std::initializer_list<const char*> names) {
  const auto open = [&](const std::string& path) {
    handle_ = dlopen(path.c_str(), RTLD_NOW | RTLD_LOCAL);
    if (handle_) name_ = path;
    return handle_ != nullptr;
  };
  for (const char* name : names) {
    if (open(name)) break;
    why_not_ += (why_not_.empty() ? "" : "; ") + reason();  // which begins with the name
    if (std::string_view(name).find('/') != std::string_view::npos) continue;
    for (const std::string& folder : toolkit_folders())
      if (open(folder + name)) break;
    if (handle_) break;
  }
  if (handle_) why_not_.clear();
}

void* DynamicLibrary::address(const char* symbol_name) const {
  check(loaded(), "{} is needed: {}", symbol_name, why_not_);
  dlerror();
  void* found = dlsym(handle_, symbol_name);
  check(found != nullptr, "{} has no {}: {}", name_, symbol_name, reason());
  return found;
}

}  // namespace glimpse
