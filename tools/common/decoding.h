#pragma once
// The options of beam search and the output files that evaluate and caption share.

#include <CLI/CLI.hpp>
#include <set>
#include <string>
#include <vector>

#include "glimpse/models/captioner/captioner.h"
#include "program.h"

namespace glimpse::tools {

struct DecodingOptions {
  CaptionOptions captions;
  std::vector<std::string> ensemble;  ///< model files, besides the first model's
  int threads = 0;
  DeviceOptions device;
};

/// The options of search (CaptionOptions), --ensemble, --batch, --threads, --device, --matmul.
void add_decoding_options(CLI::App& app, DecodingOptions& options);
/// Applies the threads and returns the device. Throws Error, also for options that exclude each other.
Device use_decoding_options(const DecodingOptions& options);
/// The further models of an ensemble. Throws Error (load_model).
std::vector<CaptionModel> load_ensemble(const DecodingOptions& options, Device device, ModelWeights which);

/// Names for the pictures that are drawn of images, all in one folder: the path's parts joined by '_', without "..",
/// root and extension, and with a number where that name is taken.
class PictureNames {
 public:
  std::string operator()(const std::string& path);

 private:
  std::set<std::string> taken_;
};

/// Throws Error unless a file can be written at `path`; makes nothing. Asked before hours of work, not after.
void check_can_write(const std::string& path);
/// The same for files in a folder that need not exist yet.
void check_can_write_folder(const std::string& path);

}  // namespace glimpse::tools
