#pragma once
// Pretrained weights of encoders, wherever in a file they are.

#include <string>
#include <vector>

#include "glimpse/models/encoder/encoder.h"

namespace glimpse {

/// What load_encoder_weights found.
struct EncoderWeights {
  std::string prefix;                  ///< of the names in the (first) file, such as "state_dict.module."; mostly empty
  std::vector<std::string> left_over;  ///< of the classifier and of stages after the tap, without the prefix
  std::string note;                    ///< one line for the user where names differ from torchvision's; else empty
};

/// The files that `path` names for an encoder: itself, or for "a+b" the two of "a.safetensors+b.safetensors". Throws
/// Error where there are more or fewer.
std::vector<std::string> weight_files(const std::string& encoder, const std::string& path);

/// Reads the weights from a file of tensors (open_tensors), with torchvision's names; 16-bit ones are converted. The
/// names may stand below a prefix (what DataParallel, torch.compile, trainers and larger models put before them), or
/// lack "features." where all of the encoder's begin so. Whatever lies beside them (an optimizer, counters) is not
/// read. Throws Error naming the file and every tensor that is missing, of another shape, or unknown, the first that
/// holds NaN or infinity, and prefixes where several are as good; then nothing was changed. Tensors of a classifier
/// ("classifier.*", "fc.*", "head.*") and of stages after the tap may be left over. Encoders side by side have a file
/// each (weight_files).
EncoderWeights load_encoder_weights(Encoder& encoder, const std::string& path);

}  // namespace glimpse
