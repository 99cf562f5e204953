#include "glimpse/engine/io/file.h"

#include <fcntl.h>
#include <sys/file.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <unistd.h>

#include <cerrno>
#include <cstdlib>
#include <system_error>

#include "glimpse/kernels/base/check.h"
#include "glimpse/kernels/base/text.h"

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

/// Calls again what a signal has interrupted.
template <class Call>
auto uninterrupted(Call call) {
  auto result = call();
  while (result < 0 && errno == EINTR) result = call();
  return result;
}

int open_to_read(const std::string& path, int flags = 0) {
  const int file = uninterrupted([&] { return ::open(path.c_str(), O_RDONLY | O_CLOEXEC | flags); });
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

/// Takes the lock of an open file, and makes sure that `path` still names it: between open and lock another process may
/// have renamed or removed it. 1: done; 0: another file has the name now; -1 with errno, EWOULDBLOCK where another
/// process holds it. Where the file system knows no locks the file is taken without.
int lock_named(int file, const std::string& path) {
  if (uninterrupted([&] { return ::flock(file, LOCK_EX | LOCK_NB); }) != 0 && errno == EWOULDBLOCK) return -1;
  struct stat by_file, by_name;
  if (::fstat(file, &by_file) != 0) return -1;
  if (::lstat(path.c_str(), &by_name) != 0) return errno == ENOENT ? 0 : -1;
  return by_file.st_ino == by_name.st_ino && by_file.st_dev == by_name.st_dev ? 1 : 0;
}

/// Opens PATH.tmp for this process alone, empties it and gives it the permissions `mode`, if not negative. The lock
/// tells a file that another process is writing from one that a killed process left behind. Returns -1 with errno;
/// EWOULDBLOCK for the former. A file made here does not stay when that fails.
int open_temporary(const std::string& path, int mode) {
  while (true) {
    const int flags = O_WRONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK;
    bool made = true;
    int file = uninterrupted([&] { return ::open(path.c_str(), flags | O_CREAT | O_EXCL, 0666); });
    if (file < 0 && errno == EEXIST) {
      made = false;
      file = uninterrupted([&] { return ::open(path.c_str(), flags); });
      if (file < 0 && errno == ENOENT) continue;
    }
    if (file < 0) return -1;
    const int locked = lock_named(file, path);
    if (locked == 1 && uninterrupted([&] { return ::ftruncate(file, 0); }) == 0 &&
        (mode < 0 || ::fchmod(file, static_cast<mode_t>(mode)) == 0))
      return file;
    const int error = errno;
    if (locked != 0 && made && error != EWOULDBLOCK) ::unlink(path.c_str());
    ::close(file);
    if (locked != 0) {
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
    const ssize_t got =
        uninterrupted([&] { return ::read(descriptor.file, content.data() + used, content.size() - used); });
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

bool is_being_written(const std::string& path) {
  const Descriptor descriptor{
      ::open((follow_links(path) + ".tmp").c_str(), O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK)};
  return descriptor.file >= 0 && ::flock(descriptor.file, LOCK_SH | LOCK_NB) != 0 && errno == EWOULDBLOCK;
}

void check_space(const std::string& folder, std::int64_t bytes, const char* what) {
  struct statvfs space;
  if (::statvfs(folder.c_str(), &space) != 0) return;
  const double free = static_cast<double>(space.f_bavail) * static_cast<double>(space.f_frsize);
  check(free >= static_cast<double>(bytes), "{}: {} about {}, but only {} are free there", folder, what,
        human_bytes(static_cast<double>(bytes)), human_bytes(free));
}

AtomicFile::AtomicFile(const std::string& path) : path_(path), target_(follow_links(path)) {
  struct stat status;
  const bool exists = ::stat(target_.c_str(), &status) == 0;
  check(!exists || !S_ISDIR(status.st_mode), "{}: is a folder", path_);
  if (exists && !S_ISREG(status.st_mode)) {
    file_ = uninterrupted([&] { return ::open(target_.c_str(), O_WRONLY | O_CLOEXEC); });
  } else {
    temporary_ = target_ + ".tmp";
    file_ = open_temporary(temporary_, exists ? static_cast<int>(status.st_mode & 07777) : -1);
    if (file_ < 0 && errno == EWOULDBLOCK) throw FileBusy(path_ + ": another process is writing it");
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
    const ssize_t done = uninterrupted([&] { return ::write(file_, next, bytes); });
    if (done <= 0) fail_with_errno(done < 0 ? errno : ENOSPC);
    next += done;
    bytes -= static_cast<std::size_t>(done);
  }
}

void AtomicFile::overwrite(std::size_t offset, std::string_view bytes) {
  check(file_ >= 0, "{}: written after commit", path_);
  while (!bytes.empty()) {
    const ssize_t done =
        uninterrupted([&] { return ::pwrite(file_, bytes.data(), bytes.size(), static_cast<off_t>(offset)); });
    if (done <= 0) fail_with_errno(done < 0 ? errno : ENOSPC);
    offset += static_cast<std::size_t>(done);
    bytes.remove_prefix(done);
  }
}

void AtomicFile::commit() {
  check(file_ >= 0, "{}: committed twice", path_);
  if (!temporary_.empty()) {
    if (uninterrupted([&] { return ::fsync(file_); }) != 0) fail_with_errno(errno);
    if (uninterrupted([&] { return ::rename(temporary_.c_str(), target_.c_str()); }) != 0) fail_with_errno(errno);
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
  const Descriptor descriptor{open_to_read(path, O_NONBLOCK)};  // a pipe that nobody writes is an error, not a wait
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
