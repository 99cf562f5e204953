#include "glimpse/data/scenes.h"

#include <algorithm>
#include <filesystem>
#include <nlohmann/json.hpp>

#include "glimpse/data/internal/scene_parts.h"
#include "glimpse/engine/io/file.h"
#include "glimpse/kernels/base/check.h"
#include "glimpse/kernels/base/parallel.h"
#include "glimpse/kernels/base/philox.h"

namespace glimpse {
namespace {

constexpr std::array<const char*, 3> split_names = {"train", "val", "test"};

int split_index(std::string_view split) {
  const auto found = std::find(split_names.begin(), split_names.end(), split);
  check(found != split_names.end(), "scenes: no split '{}', expected train, val or test", split);
  return static_cast<int>(found - split_names.begin());
}

/// A stream of its own for each scene.
Generator scene_generator(std::uint64_t seed, int split, int index) {
  const std::uint64_t position = (static_cast<std::uint64_t>(split) << 32) | static_cast<std::uint32_t>(index);
  const kernels::Philox4 bits = kernels::philox(seed, position);
  return Generator((static_cast<std::uint64_t>(bits.v[0]) << 32) | bits.v[1]);
}

constexpr int test_split = 2;

scenes::Plan plan_of(std::uint64_t seed, int split, int index, Generator& random) {
  random = scene_generator(seed, split, index);
  return scenes::make_plan(split == test_split, random);
}

std::string filename_of(std::string_view split, int index) { return fmt::format("{}_{:06}.png", split, index); }

}  // namespace

std::int64_t SceneMask::area() const { return std::count(inside.begin(), inside.end(), 1); }

bool SceneDataset::is_held_out(SceneColour colour, SceneShape shape) {
  constexpr std::array<SceneColour, 5> kept_apart = {SceneColour::purple, SceneColour::orange, SceneColour::green,
                                                     SceneColour::blue, SceneColour::red};  // by shape
  return kept_apart[static_cast<std::size_t>(shape)] == colour;
}

int SceneDataset::size(std::string_view split) const {
  return std::array{counts_.train, counts_.val, counts_.test}[split_index(split)];
}

Scene SceneDataset::scene(std::string_view split, int index) const {
  check(index >= 0 && index < size(split), "scenes: no scene {} in split {} of {}", index, split, size(split));
  Generator random;
  scenes::Plan plan = plan_of(seed_, split_index(split), index, random);
  Scene scene;
  scene.filename = filename_of(split, index);
  scene.captions = scenes::describe(plan);
  scene.objects = std::move(plan.objects);
  scene.image = scenes::draw(scene.objects, image_size, random);
  return scene;
}

Scene SceneDataset::scene(std::string_view filename) const {
  const std::size_t bar = filename.find('_');
  int index = -1;
  if (bar != std::string_view::npos && filename.ends_with(".png") && filename.size() == bar + 11) {
    index = 0;
    for (const char digit : filename.substr(bar + 1, 6)) {
      check(digit >= '0' && digit <= '9', "scenes: no scene is named '{}'", filename);
      index = 10 * index + (digit - '0');
    }
  }
  check(index >= 0, "scenes: no scene is named '{}'", filename);
  return scene(filename.substr(0, bar), index);
}

CaptionSet SceneDataset::captions() const {
  CaptionSet set;
  for (int split = 0; split < 3; ++split) {
    const std::string name = split_names[split];
    for (int i = 0; i < size(name); ++i) {
      Generator random;
      set.images.push_back({filename_of(name, i), "", name, scenes::describe(plan_of(seed_, split, i, random))});
    }
  }
  return set;
}

double attention_inside(const SceneMask& mask, std::span<const float> weights, int grid_height, int grid_width) {
  check(grid_height > 0 && grid_width > 0 && weights.size() == static_cast<std::size_t>(grid_height * grid_width),
        "attention_inside: {} weights for a grid of {} x {}", weights.size(), grid_height, grid_width);
  check(mask.inside.size() == static_cast<std::size_t>(mask.width) * static_cast<std::size_t>(mask.height),
        "attention_inside: {} values in a mask of {} x {}", mask.inside.size(), mask.width, mask.height);
  // Exact for any grid: pixel [y,y+1) overlaps cell [j,j+1) * height / grid_height.
  const auto overlap = [](int pixel, int pixels, int cell, int cells) {
    const double scale = static_cast<double>(cells) / pixels;
    return std::max(0.0,
                    std::min((pixel + 1) * scale, cell + 1.0) - std::max(pixel * scale, static_cast<double>(cell)));
  };
  double inside = 0;
  for (int y = 0; y < mask.height; ++y) {
    for (int x = 0; x < mask.width; ++x) {
      if (!mask.inside[y * mask.width + x]) continue;
      const int last_row = std::min(grid_height - 1, ((y + 1) * grid_height - 1) / mask.height);
      const int last_column = std::min(grid_width - 1, ((x + 1) * grid_width - 1) / mask.width);
      for (int j = y * grid_height / mask.height; j <= last_row; ++j)
        for (int i = x * grid_width / mask.width; i <= last_column; ++i)
          inside += static_cast<double>(weights[j * grid_width + i]) * overlap(y, mask.height, j, grid_height) *
                    overlap(x, mask.width, i, grid_width);
    }
  }
  return inside;
}

void export_scenes(const SceneDataset& scenes, const std::string& folder) {
  std::error_code error;
  std::filesystem::create_directories(folder + "/images", error);
  check(!error, "{}/images: {}", folder, error.message());
  nlohmann::ordered_json images = nlohmann::ordered_json::array();
  std::int64_t sentence_id = 0;
  for (const CaptionedImage& image : scenes.captions().images) {
    nlohmann::ordered_json entry;
    entry["filename"] = image.filename;
    entry["imgid"] = images.size();
    entry["split"] = image.split;
    for (const std::vector<std::string>& words : image.captions) {
      entry["sentids"].push_back(sentence_id);
      entry["sentences"].push_back(
          {{"tokens", words}, {"raw", join_words(words) + " ."}, {"imgid", images.size()}, {"sentid", sentence_id++}});
    }
    write_png(folder + "/images/" + image.filename, scenes.scene(image.filename).image);
    images.push_back(std::move(entry));
  }
  write_file_atomically(folder + "/dataset_scenes.json",
                        nlohmann::ordered_json{{"images", std::move(images)}, {"dataset", "scenes"}}.dump());
}

}  // namespace glimpse
