#include "run_folder.h"

#include <fcntl.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <filesystem>

#include "glimpse/kernels/base/check.h"
#include "program.h"

namespace glimpse::tools {
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

RunFolder::RunFolder(const std::string& path, std::int64_t bytes_needed) : path_(path) {
  while (path_.size() > 1 && path_.ends_with('/')) path_.pop_back();
  created_ = first_missing(path_);
  std::error_code error;
  fs::create_directories(path_, error);
  check(!error, "{}: cannot make this folder: {}", path_, error.message());
  try {
    folder_ = ::open(path_.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    check(folder_ >= 0, "{}: {}", path_, std::strerror(errno));
    check(::flock(folder_, LOCK_EX | LOCK_NB) == 0, "{}: another process is training there", path_);
    check_writable(path_);
    check_space(path_, bytes_needed);
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

RunLog::RunLog(const std::string& path, std::int64_t bytes) : path_(path) {
  file_ = ::open(path.c_str(), O_CREAT | O_WRONLY | O_CLOEXEC | O_APPEND, 0644);
  check(file_ >= 0, "{}: {}", path, std::strerror(errno));
  struct stat status {};
  bytes_ = ::fstat(file_, &status) == 0 ? std::min<std::int64_t>(bytes, status.st_size) : 0;
  const bool cut = ::ftruncate(file_, bytes_) == 0;
  const int error = errno;
  if (!cut) ::close(file_);
  check(cut, "{}: {}", path, std::strerror(error));
}

RunLog::~RunLog() { ::close(file_); }

void RunLog::write(const std::string& json) {
  const std::string line = json + "\n";
  std::size_t done = 0;
  while (done < line.size()) {
    const ssize_t n = ::write(file_, line.data() + done, line.size() - done);
    if (n < 0 && errno == EINTR) continue;
    check(n > 0, "{}: {}", path_, std::strerror(errno));
    done += static_cast<std::size_t>(n);
  }
  bytes_ += static_cast<std::int64_t>(line.size());
}

}  // namespace glimpse::tools
