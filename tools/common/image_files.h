#pragma once
// The images that a command line names.

#include <CLI/CLI.hpp>
#include <string>
#include <vector>

#include "glimpse/data/image.h"

namespace glimpse::tools {

/// What a program is told of the images to read.
struct ImageArguments {
  std::vector<std::string> inputs;  ///< images, folders, "-"
  bool recursive = false;
  std::int64_t max_pixels = max_image_pixels;
};

/// The images themselves, --recursive and --max-pixels.
void add_image_arguments(CLI::App& app, ImageArguments& arguments);

/// The files that the arguments name: images, the images of folders (known by their extensions, in any case) in order
/// of their names, and with "-" the lines of stdin, of whatever system. What folders hold besides is said in one line
/// on stderr; "._*", which macOS leaves beside files, is not spoken of. Throws Error for a folder without images that
/// can be read and when nothing is named.
std::vector<std::string> image_files(const ImageArguments& arguments, const std::string& program);

}  // namespace glimpse::tools
