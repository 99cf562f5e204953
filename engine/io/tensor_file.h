#pragma once
// Files of tensors, whatever their format.

#include <functional>
#include <string>
#include <vector>

#include "glimpse/engine/module.h"

namespace glimpse {

/// A tensor in a file: known, but not read.
struct FileTensor {
  std::string name;
  Shape shape;
  DType dtype;                   ///< once it is read
  std::function<Tensor()> read;  ///< shares the mapping of the file where it can. Throws Error
};

/// The tensors of a safetensors file, of a file of torch.save, or of several files that an index names
/// (model.safetensors.index.json, pytorch_model.bin.index.json), told apart by content. Throws Error for everything
/// else, by name where it is known: what Git LFS leaves in place of a file, web pages, files of other frameworks.
std::vector<FileTensor> open_tensors(const std::string& path);

/// Reads all of them. Throws Error where they would take more than four times the memory of the file (and 64 MiB): many
/// names for one piece of a file.
std::vector<NamedTensor> read_tensors(const std::string& path);

/// The files that open_tensors(path) looks into: the file itself, and those that it names as an index.
std::vector<std::string> tensor_files(const std::string& path);

/// A tensor that is wanted or given.
struct TensorInfo {
  std::string name;
  Shape shape;
};

/// Throws Error that lists, by name, what of `wanted` is missing in `given`, what is left over there, and what has
/// another shape. `what` says in the message where the tensors come from.
void check_names_and_shapes(const std::vector<TensorInfo>& wanted, const std::vector<TensorInfo>& given,
                            const std::string& what);

/// Throws Error "WHAT: tensor 'NAME' holds NaN or infinity" for the first of those of a floating type that does.
void check_finite(const std::vector<NamedTensor>& tensors, const std::string& what);

}  // namespace glimpse
