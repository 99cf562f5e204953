// Caption files of all forms, the lists of splits, and the captions of another system.
#include <unistd.h>

#include <filesystem>
#include <fstream>

#include "fuzz.h"
#include "glimpse/data/captions.h"
#include "glimpse/kernels/base/error.h"

namespace glimpse::fuzz {
namespace {

/// A folder of this process with one file of the bytes under each name that a reader knows.
const std::string& folder() {
  static const std::string path = [] {
    std::string made = std::filesystem::temp_directory_path() / ("glimpse-fuzz-" + std::to_string(getpid()));
    std::filesystem::create_directories(made);
    return made;
  }();
  return path;
}

template <class F>
void try_all(F&& f) {
  try {
    f();
  } catch (const Error& error) {
    if (std::string_view(error.what()).size() > 5000) throw std::length_error("an error of megabytes");
  }
}

void read(std::string_view bytes) {
  const std::string path = folder() + "/captions_val.json", list = folder() + "/train.txt";
  for (const std::string& name : {path, list, folder() + "/val.txt"})
    std::ofstream(name, std::ios::binary).write(bytes.data(), static_cast<std::streamsize>(bytes.size()));
  try_all([&] { read_captions(path); });
  try_all([&] { read_captions(path, folder()); });
  std::ofstream(list) << "a.jpg\n";
  std::ofstream(folder() + "/val.txt") << "b.jpg\n";
  try_all([&] {
    const CaptionSet set = read_captions(path, folder());
    if (set.images.empty()) throw std::logic_error("a set without images");
  });
  const CaptionedImage image{"a.jpg", "", "val", {{"a", "dog"}}, "7"};
  try_all([&] { read_compared_captions(path, {&image}, WordRule::unicode); });
}

std::vector<std::string> seeds() {
  return {R"({"images": [{"filename": "a.jpg", "split": "train", "imgid": 0, "sentences": [{"tokens": ["a", "dog"],
             "raw": "A dog."}]}, {"filename": "b.jpg", "filepath": "val2014", "split": "val", "sentences": []}]})",
          R"({"images": [{"id": 7, "file_name": "a.jpg"}], "annotations": [{"image_id": 7, "caption": "A dog"}]})",
          "image,caption\na.jpg,\"A dog, \"\"fast\"\"\nand red\"\nb.jpg,Two dogs\n",
          "image_name| comment_number| comment\na.jpg| 0| A dog\nb.jpg| 1   Two dogs\n",
          "sep=;\nimage;split;caption1;caption2\na.jpg;train;A dog;A cat\nb.jpg;dev;x;;\n",
          "a.jpg#0\tA dog .\nb.jpg#0\tEin M\u00e4dchen\n",
          "0,a.jpg,A dog\n1,b.jpg,\u4e00\u4e2a\u5c0f\u5973\u5b69\n",
          std::string("\xff\xfe"
                      "a\0.\0j\0p\0g\0,\0x\0\n\0",
                      18),
          R"([{"filename": "a.jpg", "caption": "a <unk>"}, {"image_id": 7, "caption": ["a dog"]}])",
          R"({"a.jpg": "a dog"})"};
}

}  // namespace

const Target target{read, seeds};

}  // namespace glimpse::fuzz
