#pragma once
// PyTorch's .pth files: a pickle that says how tensors lie in storages, and the raw bytes of each storage.

#include <string>
#include <vector>

#include "glimpse/engine/module.h"

namespace glimpse {

/// The tensors of a state_dict saved by torch.save, in its order; nested dictionaries and lists join names with dots.
/// Both the zip format (PyTorch 1.6 and later) and the one before it, in which many of torchvision's weights are, are
/// read. The pickle is not executed: only what builds dictionaries, lists, numbers, strings and tensors is understood,
/// and anything else is an Error that names the opcode or the class. Values that are no tensors are skipped.
/// Contiguous, aligned tensors share the mapping of the file (engine/io/file.h), others are copied; integers other than
/// int32 are converted to i32. Throws Error "path: reason" for a damaged file, big-endian data, an integer that does
/// not fit i32, and types that Glimpse does not have.
std::vector<NamedTensor> read_torch_file(const std::string& path);

/// Tensors of a safetensors file or of a .pth file, told apart by content.
std::vector<NamedTensor> read_tensors(const std::string& path);

}  // namespace glimpse
