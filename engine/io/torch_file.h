#pragma once
// PyTorch's .pth files: a pickle that says how tensors lie in storages, and the raw bytes of each storage.

#include <string>
#include <vector>

#include "glimpse/engine/io/tensor_file.h"

namespace glimpse {

/// The tensors of what torch.save wrote, a state_dict, a checkpoint or a whole module, in its order; nested
/// dictionaries and lists join names with dots. Both the zip format (PyTorch 1.6 and later) and the one before it, in
/// which many of torchvision's weights are, are read, with pickles of protocols 0 to 5. The pickle is not executed:
/// what would make anything but dictionaries, lists, numbers, strings and tensors is passed over. Contiguous, aligned
/// tensors share the mapping of the file (engine/io/file.h), others are copied; integers other than int32 are converted
/// to i32. Throws Error "path: reason" for a damaged file, big-endian data and types that Glimpse does not have; the
/// reading of a tensor does for an integer that does not fit i32.
std::vector<FileTensor> open_torch_file(const std::string& path);

}  // namespace glimpse
