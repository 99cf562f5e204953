#pragma once
// PyTorch's .pth files: a zip archive of a pickle and the raw bytes of each storage.

#include <string>
#include <vector>

#include "glimpse/engine/module.h"

namespace glimpse {

/// The tensors of a state_dict saved by torch.save (PyTorch 1.6 and later), in its order; nested dictionaries join
/// names with dots. The pickle is not executed: only what builds dictionaries, lists, numbers, strings and tensors is
/// understood, and anything else is an Error that names the opcode or the class. Values that are no tensors are
/// skipped. Contiguous tensors share the mapping of the file (engine/file.h), others are copied; integers other than
/// int32 are converted to i32. Throws Error "path: reason" for a damaged file, one of the format before 1.6, big-endian
/// data, an integer that does not fit i32, and types that Glimpse does not have.
std::vector<NamedTensor> read_torch_file(const std::string& path);

/// Tensors of a safetensors file or of a .pth file, told apart by content.
std::vector<NamedTensor> read_tensors(const std::string& path);

}  // namespace glimpse
