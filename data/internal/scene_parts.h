#pragma once
// The parts that scenes.cpp puts together.

#include <string>
#include <vector>

#include "glimpse/data/scenes.h"
#include "glimpse/engine/random.h"

namespace glimpse::scenes {

/// What a scene shows; it decides how the objects lie and what the captions say.
enum class Kind : std::uint8_t { single, pair, group };

/// The facts of a scene, before anything is drawn.
struct Plan {
  Kind kind = Kind::single;
  bool vertical = false;             ///< pair, group: one above the other instead of side by side
  int column = 1, row = 1;           ///< single: the cell of a 3 x 3 grid
  std::vector<SceneObject> objects;  ///< from left to right or from top to bottom; no masks yet
};

/// Facts by chance. One object has a held-out pair of colour and shape if `held_out`, else none has.
Plan make_plan(bool held_out, Generator& random);

/// Draws the ground and the objects, and fills in their masks.
Image draw(std::vector<SceneObject>& objects, int size, Generator& random);

/// The five captions of a plan. They follow from it alone.
std::vector<std::vector<std::string>> describe(const Plan& plan);

}  // namespace glimpse::scenes
