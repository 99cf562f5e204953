#pragma once
// "scenes": a data set made of nothing. Coloured shapes on a noisy ground, drawn when they are asked for, with five
// captions each. Everything follows from (seed, split, index).

#include <array>
#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "glimpse/data/captions.h"
#include "glimpse/data/image.h"

namespace glimpse {

enum class SceneShape : std::uint8_t { circle, square, triangle, star, cross };
enum class SceneColour : std::uint8_t { red, orange, yellow, green, blue, purple };
enum class SceneSize : std::uint8_t { small, large };

/// Pixels of an object, 1 inside, 0 outside.
struct SceneMask {
  int width = 0, height = 0;
  std::vector<std::uint8_t> inside;  ///< (height,width)
  std::int64_t area() const;         ///< pixels inside
};

struct SceneObject {
  SceneShape shape;
  SceneColour colour;
  SceneSize size;
  float x, y;      ///< centre, in [0,1] of width and height
  float radius;    ///< of the circle that holds it, in [0,1] of the width
  float angle;     ///< in radians
  SceneMask mask;  ///< where it covers at least half a pixel; objects do not overlap
};

struct Scene {
  std::string filename;  ///< "train_000017.png"
  Image image;
  std::vector<SceneObject> objects;
  std::vector<std::vector<std::string>> captions;  ///< five wordings of the same facts
};

/// A shape that a caption names.
struct NamedShape {
  std::int64_t position = 0;  ///< of the noun in the caption
  SceneMask mask;             ///< of the object, or of all objects of a plural
};

struct SceneCounts {
  int train = 4000, val = 300, test = 300;
};

/// The data set. Scenes hold one object and its place, two objects and how they stand to each other, or two or three
/// alike. Some pairs of colour and shape (is_held_out) occur in no scene of train or val, and in every scene of test.
class SceneDataset {
 public:
  static constexpr int image_size = 64;  ///< width and height in pixels

  explicit SceneDataset(std::uint64_t seed = 1, const SceneCounts& counts = {}) : seed_(seed), counts_(counts) {}

  /// Scenes of a split. Throws Error for an unknown split.
  int size(std::string_view split) const;
  /// Scene `index` of a split. Throws Error when there is none.
  Scene scene(std::string_view split, int index) const;
  /// The scene with this file name. Throws Error when there is none.
  Scene scene(std::string_view filename) const;
  /// Names and captions of all splits, in the form of a caption file; nothing is drawn.
  CaptionSet captions() const;

  /// Whether a colour and a shape meet in test only.
  static bool is_held_out(SceneColour colour, SceneShape shape);

 private:
  std::uint64_t seed_;
  SceneCounts counts_;
};

/// The shapes that a caption (of whatever origin) names in `scene`: each noun with its colour and size words is looked
/// up among the objects; a singular that fits none or several, and a plural that fits fewer than two, names nothing.
std::vector<NamedShape> named_shapes(const Scene& scene, const std::vector<std::string>& caption);

/// Share of attention that falls inside `mask`, in [0,1]: each of the grid_height x grid_width weights spreads evenly
/// over its part of the picture. Divided by mask.area() / pixels it says how many times more than chance.
double attention_inside(const SceneMask& mask, std::span<const float> weights, int grid_height, int grid_width);

/// Writes the data set as files: folder/images/*.png and folder/dataset_scenes.json in Karpathy's form.
void export_scenes(const SceneDataset& scenes, const std::string& folder);

}  // namespace glimpse
