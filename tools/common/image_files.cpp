#include "image_files.h"

#include <algorithm>
#include <cctype>
#include <filesystem>
#include <iostream>
#include <set>

#include "glimpse/kernels/base/check.h"

namespace glimpse::tools {
namespace fs = std::filesystem;
namespace {

constexpr std::size_t longest_path = 4096;  // PATH_MAX of Linux

bool is_image_name(const fs::path& path) {
  std::string extension = path.extension().string();
  std::transform(extension.begin(), extension.end(), extension.begin(),
                 [](unsigned char c) { return std::tolower(c); });
  static const std::set<std::string> known{".jpg", ".jpeg", ".png", ".bmp", ".gif"};
  return known.contains(extension);
}

}  // namespace

std::vector<std::string> image_files(const std::vector<std::string>& arguments) {
  std::vector<std::string> files;
  for (const std::string& argument : arguments) {
    if (argument == "-") {
      for (std::string line; std::getline(std::cin, line);) {
        check(line.size() <= longest_path && line.find('\0') == std::string::npos,
              "-: stdin holds something else than a list of paths, one a line");
        if (!line.empty()) files.push_back(line);
      }
    } else if (fs::is_directory(argument)) {
      std::vector<std::string> found;
      for (const fs::directory_entry& entry : fs::directory_iterator(argument))
        if (entry.is_regular_file() && is_image_name(entry.path())) found.push_back(entry.path().string());
      check(!found.empty(), "{}: no images in this folder", argument);
      std::sort(found.begin(), found.end());
      files.insert(files.end(), found.begin(), found.end());
    } else {
      files.push_back(argument);
    }
  }
  check(!files.empty(), "no image was named");
  return files;
}

}  // namespace glimpse::tools
