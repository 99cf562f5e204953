#include "glimpse/engine/io/file.h"

#include <fcntl.h>
#include <sys/file.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstdlib>
#include <system_error>

#include "glimpse/kernels/base/check.h"

namespace glimpse {
namespace {

std::string reason(int error) { return std::generic_category().message(error); }

/// Closes on every way out.
struct Descriptor {
  int file;
  ~Descriptor() {
    if (file >= 0) ::close(file);
  }
};

int open_to_read(const std::string& path) {
  const int file = ::open(path.c_str(), O_RDONLY | O_CLOEXEC);
  check(file >= 0, "{}: {}", path, reason(errno));
  return file;
}

/// The folder that holds `path`.
std::string folder_of(const std::string& path) {
  const std::size_t slash = path.rfind('/');
  if (slash == std::string::npos) return ".";
  return slash == 0 ? "/" : path.substr(0, slash);
}

/// `path` with all links followed, or as it is where nothing exists yet.
std::string follow_links(const std::string& path) {
  char* resolved = ::realpath(path.c_str(), nullptr);
  if (!resolved) return path;
  std::string result = resolved;
  std::free(resolved);
  return result;
}

/// Opens PATH.tmp for this process alone and empties it. The lock tells a file that another process is writing from one
/// that a killed process left behind. Returns -1 with errno; EWOULDBLOCK for the former.
int open_temporary(const std::string& path) {
  while (true) {
    const int file = ::open(path.c_str(), O_WRONLY | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0666);
    if (file < 0) return -1;
    struct stat by_file, by_name;
    const bool busy = ::flock(file, LOCK_EX | LOCK_NB) != 0 && errno == EWOULDBLOCK;
    // Between open and flock the other process may have renamed the file: then this is the finished one.
    const bool same = !busy && ::fstat(file, &by_file) == 0 && ::stat(path.c_str(), &by_name) == 0 &&
                      by_file.st_ino == by_name.st_ino && by_file.st_dev == by_name.st_dev;
    if (same && ::ftruncate(file, 0) == 0) return file;
    const int error = busy ? EWOULDBLOCK : errno;
    ::close(file);
    if (busy || same) {
      errno = error;
      return -1;
    }
  }
}

}  // namespace

std::string read_text_file(const std::string& path) {
  const Descriptor descriptor{open_to_read(path)};
  std::string content;
  std::size_t used = 0;
  while (true) {
    content.resize(used + (std::size_t{1} << 16) + used / 2);
    const ssize_t got = ::read(descriptor.file, content.data() + used, content.size() - used);
    if (got < 0 && errno == EINTR) continue;
    check(got >= 0, "{}: {}", path, reason(errno));
    if (got == 0) break;
    used += static_cast<std::size_t>(got);
  }
  content.resize(used);
  return content;
}

void write_file_atomically(const std::string& path, std::string_view bytes) {
  AtomicFile file(path);
  file.write(bytes);
  file.commit();
}

AtomicFile::AtomicFile(const std::string& path) : path_(path), target_(follow_links(path)) {
  struct stat status;
  const bool exists = ::stat(target_.c_str(), &status) == 0;
  check(!exists || !S_ISDIR(status.st_mode), "{}: is a folder", path_);
  if (exists && !S_ISREG(status.st_mode)) {
    file_ = ::open(target_.c_str(), O_WRONLY | O_CLOEXEC);
  } else {
    temporary_ = target_ + ".tmp";
    file_ = open_temporary(temporary_);
    check(file_ >= 0 || errno != EWOULDBLOCK, "{}: another process is writing it", path_);
  }
  if (file_ < 0) fail_with_errno(errno);
}

AtomicFile::~AtomicFile() {
  if (file_ < 0) return;
  if (!temporary_.empty()) ::unlink(temporary_.c_str());
  ::close(file_);
}

void AtomicFile::fail_with_errno(int error) const { fail("{}: {}", path_, reason(error)); }

void AtomicFile::write(const void* data, std::size_t bytes) {
  check(file_ >= 0, "{}: written after commit", path_);
  const char* next = static_cast<const char*>(data);
  while (bytes > 0) {
    const ssize_t done = ::write(file_, next, bytes);
    if (done < 0 && errno == EINTR) continue;
    if (done < 0) fail_with_errno(errno);
    next += done;
    bytes -= static_cast<std::size_t>(done);
  }
}

void AtomicFile::overwrite(std::size_t offset, std::string_view bytes) {
  check(file_ >= 0, "{}: written after commit", path_);
  while (!bytes.empty()) {
    const ssize_t done = ::pwrite(file_, bytes.data(), bytes.size(), static_cast<off_t>(offset));
    if (done < 0 && errno == EINTR) continue;
    if (done < 0) fail_with_errno(errno);
    offset += static_cast<std::size_t>(done);
    bytes.remove_prefix(static_cast<std::size_t>(done));
  }
}

void AtomicFile::commit() {
  check(file_ >= 0, "{}: committed twice", path_);
  if (!temporary_.empty()) {
    if (::fsync(file_) != 0) fail_with_errno(errno);
    if (::rename(temporary_.c_str(), target_.c_str()) != 0) fail_with_errno(errno);
    // The name itself is safe only once its folder is on the disk; where that cannot be asked for, it is left to the
    // system.
    const Descriptor folder{::open(folder_of(target_).c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC)};
    if (folder.file >= 0) ::fsync(folder.file);
  }
  const int closed = ::close(file_);
  file_ = -1;
  if (closed != 0 && errno != EINTR) fail_with_errno(errno);
}

MappedFile::MappedFile(const std::string& path) {
  const Descriptor descriptor{open_to_read(path)};
  struct stat status;
  check(::fstat(descriptor.file, &status) == 0, "{}: {}", path, reason(errno));
  check(S_ISREG(status.st_mode), "{}: not a regular file", path);
  size_ = static_cast<std::size_t>(status.st_size);
  if (size_ == 0) return;
  // Private: a write by this process goes to a copy of the page. NORESERVE: such copies are not set aside beforehand.
  void* place = ::mmap(nullptr, size_, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_NORESERVE, descriptor.file, 0);
  check(place != MAP_FAILED, "{}: {}", path, reason(errno));
  data_ = static_cast<std::byte*>(place);
}

MappedFile::~MappedFile() {
  if (data_) ::munmap(data_, size_);
}

}  // namespace glimpse
