#include "glimpse/models/training/run_folder.h"

#include <fcntl.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <filesystem>

#include "glimpse/engine/io/file.h"
#include "glimpse/kernels/base/check.h"
#include "glimpse/models/captioner/config.h"

namespace glimpse {
namespace fs = std::filesystem;
namespace {

/// Whether something has this name, be it a link that leads nowhere.
bool is_there(const std::string& path) {
  std::error_code ignored;
  return fs::symlink_status(path, ignored).type() != fs::file_type::not_found;
}

/// Proves that a file can be made in `folder`, whose lock this process holds.
void check_writable(const std::string& folder) {
  const std::string probe = folder + "/.glimpse-can-write";
  ::unlink(probe.c_str());  // of a killed process
  const int file = ::open(probe.c_str(), O_CREAT | O_EXCL | O_WRONLY | O_CLOEXEC, 0644);
  check(file >= 0, "{}: cannot write there: {}", folder, std::strerror(errno));
  const char byte = 0;
  ssize_t written = -1;
  do {
    written = ::write(file, &byte, 1);
  } while (written < 0 && errno == EINTR);
  const int error = errno;
  ::close(file);
  ::unlink(probe.c_str());
  check(written == 1, "{}: cannot write there: {}", folder, std::strerror(error));
}

/// Whether config.json is one that a run has written.
bool is_config(const std::string& path) {
  try {
    config_from_json(read_text_file(path), path);
    return true;
  } catch (const Error&) {
    return false;
  }
}

constexpr const char* ways_out = "--resume goes on with it, --overwrite replaces it, --run names another folder";

}  // namespace

RunFiles::RunFiles(std::string folder) : path_(std::move(folder)) {
  while (path_.size() > 1 && path_.ends_with('/')) path_.pop_back();
}

bool goes_on(const std::string& folder, RunStart start) {
  const RunFiles files(folder);
  if (start == RunStart::overwrite) return false;
  const bool config = is_there(files.config()), last = is_there(files.last());
  if (config && last) {
    check(start == RunStart::resume, "{}: holds a run already: {}", folder, ways_out);
    return true;
  }
  check(!last, "{}: holds last.safetensors but no config.json to go on by: --overwrite replaces what is there", folder);
  check(!is_there(files.best()),
        "{}: holds a model, but no checkpoint to go on from: --overwrite replaces it, --run "
        "names another folder",
        folder);
  if (config) {
    check(is_config(files.config()),
          "{}: its config.json is no run's: --overwrite replaces it, --run names another "
          "folder",
          folder);
    return false;
  }
  for (const std::string& file : {files.log(), files.report(), files.captions(), files.skipped()})
    check(!is_there(file),
          "{}: is there, but no run that it belongs to: --overwrite replaces it, --run names another "
          "folder",
          file);
  return false;
}

RunFolder::RunFolder(const std::string& folder, std::int64_t bytes_needed) : RunFiles(folder) {
  try {
    // Another run may remove a folder that it made just when this one begins to use it: then once more.
    int attempts = 0;
    do {
      check(attempts++ < 100, "{}: cannot make this folder: it vanishes again and again", path());
      make_folders();
    } while (!take_lock());
    check_writable(path());
    check_space(path(), bytes_needed, "the run needs");
  } catch (...) {
    remove_made();
    if (folder_ >= 0) ::close(folder_);
    throw;
  }
}

RunFolder::~RunFolder() { ::close(folder_); }

void RunFolder::make_folders() {
  fs::path so_far;
  for (const fs::path& part : fs::absolute(path())) {
    so_far /= part;
    if (::mkdir(so_far.c_str(), 0777) == 0) {
      made_.push_back(so_far.string());
      continue;
    }
    const int error = errno;
    std::error_code ignored;
    if (fs::is_directory(so_far, ignored)) continue;
    if (error == ENOENT || (error == EEXIST && !is_there(so_far)))
      return;  // removed meanwhile: take_lock() will see it
    fail("{}: cannot make this folder: {}", path(), std::strerror(error));
  }
}

/// False where the folder was removed meanwhile.
bool RunFolder::take_lock() {
  folder_ = ::open(path().c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  if (folder_ < 0 && errno == ENOENT) return false;
  check(folder_ >= 0, "{}: {}", path(), std::strerror(errno));
  int result = 0;
  do {
    result = ::flock(folder_, LOCK_EX | LOCK_NB);
  } while (result != 0 && errno == EINTR);
  if (result != 0) {
    const int error = errno;
    if (error == EWOULDBLOCK) made_.clear();  // what another process holds is not this one's to remove
    check(error != EWOULDBLOCK, "{}: another process is training there", path());
    fail("{}: cannot be locked, so that two runs could write there: {}", path(), std::strerror(error));
  }
  struct stat held, named;
  if (::fstat(folder_, &held) == 0 && ::stat(path().c_str(), &named) == 0 && held.st_ino == named.st_ino &&
      held.st_dev == named.st_dev)
    return true;
  ::close(folder_);
  folder_ = -1;
  return false;
}

void RunFolder::remove_made() {
  for (; !made_.empty(); made_.pop_back()) ::rmdir(made_.back().c_str());  // fails where it holds anything
}

void RunFolder::clear() {
  // config.json goes last: as long as anything is left, it is known to be a run's.
  for (const std::string& file : {last(), best(), report(), captions(), log(), skipped(), config()}) {
    std::error_code error;
    fs::remove(file, error);
    check(!error, "{}: cannot remove: {}", file, error.message());
  }
}

void RunFolder::abandon() {
  clear();
  remove_made();
}

bool is_run(const std::string& path) { return fs::exists(path + "/config.json"); }

}  // namespace glimpse
