#pragma once
// The safetensors format (github.com/huggingface/safetensors): 8 bytes of header length, a JSON header that gives name,
// type, shape and place of each tensor and free metadata, then the data.

#include <cstdint>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "glimpse/engine/io/file.h"
#include "glimpse/engine/io/tensor_file.h"
#include "glimpse/engine/module.h"

namespace glimpse {

using Metadata = std::map<std::string, std::string>;

struct SafetensorsFile {
  Metadata metadata;
  std::vector<NamedTensor> tensors;  ///< in the order in which they lie in the file
};

/// Maps the file; its tensors share the mapping, so nothing is read before it is used. Writing into one changes the
/// memory, never the file. F32, F64, F16, BF16 and I32 are taken as they are; other integers and BOOL are converted to
/// i32. Throws Error that names the file, the tensor and the reason for anything that is not as the format demands:
/// header length, JSON, unknown type, shape and bytes that disagree, data that overlaps, lies outside or is not
/// accounted for, duplicate names, an integer that does not fit i32.
SafetensorsFile read_safetensors(const std::string& path);

/// The same without metadata; an integer that does not fit i32 is thrown by the reading of its tensor.
std::vector<FileTensor> open_safetensors(const std::string& path);

/// Writes the file in one instant (AtomicFile). Tensors lie in the given order, those of wider elements first, so that
/// each is aligned. Throws Error for a duplicate or reserved name, an undefined tensor, and when writing fails.
void write_safetensors(const std::string& path, const std::vector<NamedTensor>& tensors, const Metadata& metadata = {});

/// Writes a file of one big tensor (N,...) row by row, without holding it in memory. The file appears at finish(); an
/// object that dies before leaves nothing.
class SafetensorsWriter {
 public:
  /// `shape` is (N,...) with N the largest possible number of rows.
  SafetensorsWriter(const std::string& path, const std::string& name, const Shape& shape, DType dtype,
                    Metadata metadata = {});

  /// Appends rows (n,...) of the writer's type. Throws Error for another shape or type, more than N rows in all, and
  /// when the disk is full.
  void append(const Tensor& rows);
  /// Rows appended so far.
  std::int64_t rows() const { return rows_; }
  /// Gives the tensor the rows appended so far, and the file its name.
  void finish();
  /// The same with other metadata, at most 4000 bytes longer than the constructor's (as JSON).
  void finish(Metadata metadata);

 private:
  std::string header(std::int64_t rows) const;

  std::string path_, name_;
  Shape shape_;
  DType dtype_;
  Metadata metadata_;
  std::size_t header_bytes_;
  std::int64_t rows_ = 0;
  AtomicFile file_;
};

}  // namespace glimpse
