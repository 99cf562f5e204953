#pragma once
// Bytes under a path, for readers that map files.

#include <sys/mman.h>
#include <unistd.h>

#include <stdexcept>
#include <string>
#include <string_view>

namespace glimpse::fuzz {

/// A file in memory that lives as long as the object.
class MemoryFile {
 public:
  explicit MemoryFile(std::string_view bytes) : file_(memfd_create("fuzz", MFD_CLOEXEC)) {
    while (file_ >= 0 && !bytes.empty()) {
      const ssize_t done = write(file_, bytes.data(), bytes.size());
      if (done <= 0) throw std::runtime_error("cannot write a file in memory");
      bytes.remove_prefix(done);
    }
  }
  ~MemoryFile() { close(file_); }
  MemoryFile(const MemoryFile&) = delete;
  MemoryFile& operator=(const MemoryFile&) = delete;

  std::string path() const { return "/proc/self/fd/" + std::to_string(file_); }

 private:
  int file_;
};

}  // namespace glimpse::fuzz
