// Preloaded into a program by test_faults: counts its calls that change files below GLIMPSE_FAULT_ROOT or read them,
// and lets call number GLIMPSE_FAULT_AT fail as GLIMPSE_FAULT_KIND says: an errno's name, "short" (a write takes one
// byte) or "kill". Calls that would change a file elsewhere end the program with exit code 99. GLIMPSE_FAULT_COUNT
// names a file that receives the number of calls.

#include <dlfcn.h>
#include <fcntl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include <atomic>
#include <cerrno>
#include <climits>
#include <csignal>
#include <cstdarg>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <string>

namespace {

constexpr int strayed = 99;
std::atomic<long> calls{0};

template <class F>
F* next(const char* name) {
  return reinterpret_cast<F*>(dlsym(RTLD_NEXT, name));
}

const char* setting(const char* name) {
  const char* value = std::getenv(name);
  return value ? value : "";
}

std::string absolute(const char* path) {
  if (path[0] == '/') return path;
  char here[PATH_MAX];
  return std::string(getcwd(here, sizeof here) ? here : "") + "/" + path;
}

bool is_inside(const std::string& path) {
  const std::string root = setting("GLIMPSE_FAULT_ROOT");
  return path == root || path.rfind(root + "/", 0) == 0;
}

std::string name_of(int file) {
  char name[PATH_MAX];
  const std::string link = "/proc/self/fd/" + std::to_string(file);
  const ssize_t length = readlink(link.c_str(), name, sizeof name);
  return length > 0 ? std::string(name, static_cast<std::size_t>(length)) : "";
}

enum class Fault { none, error, short_write };

/// Counts one call, and carries out the fault if it is its turn.
Fault turn() {
  if (++calls != std::atol(setting("GLIMPSE_FAULT_AT"))) return Fault::none;
  const std::string kind = setting("GLIMPSE_FAULT_KIND");
  if (kind == "kill") kill(getpid(), SIGKILL);
  if (kind == "short") return Fault::short_write;
  errno = kind == "EIO" ? EIO : kind == "EINTR" ? EINTR : ENOSPC;
  return Fault::error;
}

void require_inside(const std::string& path) {
  if (is_inside(path) || path.rfind("/dev/", 0) == 0) return;
  std::fprintf(stderr, "fault shim: the program changes %s\n", path.c_str());
  _exit(strayed);
}

Fault changing(const char* path) {
  const std::string name = absolute(path);
  require_inside(name);
  return is_inside(name) ? turn() : Fault::none;
}

Fault opening(const char* path, int flags) {
  const std::string name = absolute(path);
  if ((flags & (O_WRONLY | O_RDWR | O_CREAT | O_TRUNC)) != 0) require_inside(name);
  return is_inside(name) ? turn() : Fault::none;
}

Fault on_file(int file) { return is_inside(name_of(file)) ? turn() : Fault::none; }

struct Report {
  ~Report() {
    const std::string path = setting("GLIMPSE_FAULT_COUNT");
    if (path.empty()) return;
    const int file = next<int(const char*, int, ...)>("open")(path.c_str(), O_CREAT | O_TRUNC | O_WRONLY, 0644);
    const std::string text = std::to_string(calls.load());
    if (file >= 0) (void)!next<ssize_t(int, const void*, std::size_t)>("write")(file, text.data(), text.size());
  }
} report;

}  // namespace

extern "C" {

int open(const char* path, int flags, ...) {
  va_list rest;
  va_start(rest, flags);
  const mode_t mode = (flags & O_CREAT) != 0 ? va_arg(rest, mode_t) : 0;
  va_end(rest);
  if (opening(path, flags) == Fault::error) return -1;
  return next<int(const char*, int, ...)>("open")(path, flags, mode);
}

int open64(const char* path, int flags, ...) {
  va_list rest;
  va_start(rest, flags);
  const mode_t mode = (flags & O_CREAT) != 0 ? va_arg(rest, mode_t) : 0;
  va_end(rest);
  if (opening(path, flags) == Fault::error) return -1;
  return next<int(const char*, int, ...)>("open64")(path, flags, mode);
}

ssize_t write(int file, const void* data, std::size_t bytes) {
  const Fault fault = on_file(file);
  if (fault == Fault::error) return -1;
  return next<ssize_t(int, const void*, std::size_t)>("write")(file, data, fault == Fault::short_write ? 1 : bytes);
}

ssize_t pwrite(int file, const void* data, std::size_t bytes, off_t offset) {
  const Fault fault = on_file(file);
  if (fault == Fault::error) return -1;
  return next<ssize_t(int, const void*, std::size_t, off_t)>("pwrite")(file, data,
                                                                       fault == Fault::short_write ? 1 : bytes, offset);
}

int ftruncate(int file, off_t length) {
  return on_file(file) == Fault::error ? -1 : next<int(int, off_t)>("ftruncate")(file, length);
}

int fsync(int file) { return on_file(file) == Fault::error ? -1 : next<int(int)>("fsync")(file); }

int rename(const char* from, const char* to) {
  require_inside(absolute(from));
  return changing(to) == Fault::error ? -1 : next<int(const char*, const char*)>("rename")(from, to);
}

int unlink(const char* path) { return changing(path) == Fault::error ? -1 : next<int(const char*)>("unlink")(path); }

int remove(const char* path) { return changing(path) == Fault::error ? -1 : next<int(const char*)>("remove")(path); }

int rmdir(const char* path) { return changing(path) == Fault::error ? -1 : next<int(const char*)>("rmdir")(path); }

int mkdir(const char* path, mode_t mode) {
  // Asking for a folder that is there changes nothing.
  struct stat status;
  if (stat(path, &status) != 0 && changing(path) == Fault::error) return -1;
  return next<int(const char*, mode_t)>("mkdir")(path, mode);
}

void* mmap(void* place, std::size_t bytes, int protection, int flags, int file, off_t offset) {
  if (file >= 0 && on_file(file) == Fault::error) return MAP_FAILED;
  return next<void*(void*, std::size_t, int, int, int, off_t)>("mmap")(place, bytes, protection, flags, file, offset);
}

}  // extern "C"
