#pragma once
// Files: read whole, mapped, or written so that a reader never sees half of one. Every Error reads "path: reason".

#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>
#include <string_view>

#include "glimpse/kernels/base/error.h"

namespace glimpse {

/// Thrown where another process is writing the same file.
class FileBusy : public Error {
 public:
  using Error::Error;
};

/// The whole content of a file. Throws Error when it cannot be read.
std::string read_text_file(const std::string& path);

/// Puts `bytes` under `path` in one instant: see AtomicFile.
void write_file_atomically(const std::string& path, std::string_view bytes);

/// Whether another process is writing `path` by an AtomicFile.
bool is_being_written(const std::string& path);

/// Throws Error where fewer than `bytes` are free on the disk of `folder`; `what` needs them.
void check_space(const std::string& folder, std::int64_t bytes, const char* what);

/// A file that appears under its name only when it is complete. Until commit() the bytes go to PATH.tmp in the same
/// folder, which is removed when the object dies without commit (an exception, a full disk); what stood under `path`
/// before stays untouched, and the new file has its permissions. PATH.tmp left over by a killed process is reused. A
/// symbolic link is followed; a device or a pipe is written directly.
class AtomicFile {
 public:
  /// Throws Error when the file cannot be created, FileBusy when another process is writing it.
  explicit AtomicFile(const std::string& path);
  ~AtomicFile();
  AtomicFile(const AtomicFile&) = delete;
  AtomicFile& operator=(const AtomicFile&) = delete;

  /// Appends. Throws Error when the disk is full.
  void write(const void* data, std::size_t bytes);
  void write(std::string_view bytes) { write(bytes.data(), bytes.size()); }
  /// Overwrites bytes at `offset` that were written before. Not for devices and pipes.
  void overwrite(std::size_t offset, std::string_view bytes);
  /// Flushes to the disk and gives the file its name. At most once.
  void commit();

 private:
  [[noreturn]] void fail_with_errno(int error) const;

  std::string path_, target_, temporary_;  // as the user wrote it; links followed; empty for devices and pipes
  int file_ = -1;
};

/// A file in memory without reading it: pages come from the disk when they are first touched. Writing into the memory
/// changes this process's copy only. Another process that cuts the file short while it is mapped kills this one
/// (SIGBUS); replacing it by rename, as AtomicFile does, is harmless.
class MappedFile {
 public:
  /// Throws Error when the file cannot be opened or is not a regular file.
  explicit MappedFile(const std::string& path);
  ~MappedFile();
  MappedFile(const MappedFile&) = delete;
  MappedFile& operator=(const MappedFile&) = delete;

  /// First byte; null for an empty file.
  std::byte* data() const { return data_; }
  std::size_t size() const { return size_; }
  std::string_view bytes() const { return {reinterpret_cast<const char*>(data_), size_}; }

 private:
  std::byte* data_ = nullptr;
  std::size_t size_ = 0;
};

}  // namespace glimpse
