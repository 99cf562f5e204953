#pragma once
// The options of beam search and the output files that evaluate and caption share.

#include <CLI/CLI.hpp>
#include <set>
#include <string>

#include "glimpse/models/captioner/captioner.h"
#include "program.h"

namespace glimpse::tools {

struct DecodingOptions {
  CaptionOptions captions;
  int threads = 0;
  DeviceOptions device;
};

/// --beam, --max-words, --length-penalty, --suppress-unk and --allow-unk, --batch, --threads, --device, --matmul.
void add_decoding_options(CLI::App& app, DecodingOptions& options);
/// Applies the threads and returns the device. Throws Error.
Device use_decoding_options(const DecodingOptions& options);

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
