#pragma once
// The images that a command line names.

#include <string>
#include <vector>

namespace glimpse::tools {

/// The files that the arguments name: images, the images of folders in order of their names, and with "-" the lines of
/// stdin. Throws Error for a folder without images and when nothing is named.
std::vector<std::string> image_files(const std::vector<std::string>& arguments);

}  // namespace glimpse::tools
