#pragma once
// The recipes of recipes/*.json as the build found them.

#include <string>
#include <vector>

namespace glimpse {

struct BuiltInRecipe {
  std::string name;
  std::string text;
};

/// In alphabetical order. Defined in a file that the build writes (cmake/embed_recipes.cmake).
const std::vector<BuiltInRecipe>& built_in_recipes();

}  // namespace glimpse
