#include "glimpse/models/captioner/shared_features.h"

#include <unistd.h>

#include <cerrno>
#include <cstdlib>
#include <filesystem>
#include <system_error>

#include "glimpse/kernels/base/check.h"

namespace glimpse {
namespace {

std::string environment(const char* name) {
  const char* value = std::getenv(name);
  return value != nullptr ? value : "";
}

/// The user's folder of caches (XDG Base Directory Specification), or "" where neither variable names one.
std::string standard_folder() {
  const std::string standard = environment("XDG_CACHE_HOME"), home = environment("HOME");
  if (standard.starts_with('/')) return standard + "/glimpse";
  return home.starts_with('/') ? home + "/.cache/glimpse" : "";
}

/// Makes the folder. Returns why nothing can be written there, or "".
std::string why_not_writable(const std::string& folder) {
  if (folder.empty()) return "neither XDG_CACHE_HOME nor HOME is set";
  std::error_code error;
  std::filesystem::create_directories(folder, error);
  if (error) return error.message();
  return ::access(folder.c_str(), W_OK | X_OK) == 0 ? "" : std::generic_category().message(errno);
}

}  // namespace

std::string shared_features(const std::string& folder, const std::string& otherwise, const std::string& encoder,
                            const FeatureKey& key) {
  std::string text = fmt::format("{}\n{}\n{}\n{}", key.images, key.encoder, key.weights, key.preprocessing);
  if (!key.views.empty()) text += "\n" + key.views;  // caches of one view keep the names that they have
  const std::string name =
      fmt::format("/{}-{}.safetensors", encoder, hash_bytes(text.data(), text.size()).substr(0, 16));
  const std::string place = folder.empty() ? standard_folder() : folder;
  const std::string reason = why_not_writable(place);
  check(reason.empty() || folder.empty(), "--cache {}: cannot write there: {}", folder, reason);
  return (reason.empty() ? place : otherwise) + name;
}

}  // namespace glimpse
