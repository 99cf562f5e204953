#include "glimpse/models/training/run_folder.h"

#include <fcntl.h>
#include <sys/file.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <filesystem>

#include "glimpse/kernels/base/check.h"
#include "glimpse/kernels/base/text.h"

namespace glimpse {
namespace fs = std::filesystem;
namespace {

/// The topmost folder of `path` that does not exist yet; empty when all of it does.
fs::path first_missing(const fs::path& path) {
  fs::path missing;
  std::error_code ignored;
  for (fs::path p = fs::absolute(path).lexically_normal(); !p.empty() && !fs::exists(p, ignored); p = p.parent_path()) {
    missing = p;
    if (p == p.parent_path()) break;
  }
  return missing;
}

/// Proves that a file can be made in `folder`.
void check_writable(const std::string& folder) {
  const std::string probe = folder + "/.glimpse-can-write";
  const int file = ::open(probe.c_str(), O_CREAT | O_WRONLY | O_CLOEXEC, 0644);
  check(file >= 0, "{}: cannot write there: {}", folder, std::strerror(errno));
  const char byte = 0;
  const bool written = ::write(file, &byte, 1) == 1;
  const int error = errno;
  ::close(file);
  ::unlink(probe.c_str());
  check(written, "{}: cannot write there: {}", folder, std::strerror(error));
}

void check_space(const std::string& folder, std::int64_t bytes_needed) {
  std::error_code error;
  const fs::space_info space = fs::space(folder, error);
  if (error || space.available == static_cast<std::uintmax_t>(-1)) return;
  check(space.available >= static_cast<std::uintmax_t>(bytes_needed),
        "{}: the run needs about {}, but only {} are free there", folder,
        human_bytes(static_cast<double>(bytes_needed)), human_bytes(static_cast<double>(space.available)));
}

}  // namespace

RunFiles::RunFiles(std::string folder) : path_(std::move(folder)) {
  while (path_.size() > 1 && path_.ends_with('/')) path_.pop_back();
}

RunFolder::RunFolder(const std::string& folder, std::int64_t bytes_needed) : RunFiles(folder) {
  created_ = first_missing(path());
  std::error_code error;
  fs::create_directories(path(), error);
  check(!error, "{}: cannot make this folder: {}", path(), error.message());
  try {
    folder_ = ::open(path().c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    check(folder_ >= 0, "{}: {}", path(), std::strerror(errno));
    check(::flock(folder_, LOCK_EX | LOCK_NB) == 0, "{}: another process is training there", path());
    check_writable(path());
    check_space(path(), bytes_needed);
  } catch (...) {
    if (folder_ >= 0) ::close(folder_);
    if (!created_.empty()) fs::remove_all(created_, error);
    throw;
  }
}

RunFolder::~RunFolder() { ::close(folder_); }

void RunFolder::clear() {
  // config.json goes first: without it, what is left after a kill is no run and is cleared by the next one.
  for (const std::string& file : {config(), last(), best(), report(), log(), skipped()}) {
    std::error_code error;
    fs::remove(file, error);
    check(!error, "{}: cannot remove: {}", file, error.message());
  }
}

void RunFolder::abandon() {
  clear();
  std::error_code ignored;
  if (!created_.empty()) fs::remove_all(created_, ignored);
}

bool is_run(const std::string& path) { return fs::exists(path + "/config.json"); }

}  // namespace glimpse
