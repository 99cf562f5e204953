#include "glimpse/models/captioner/recipes.h"

#include "glimpse/kernels/base/check.h"
#include "glimpse/kernels/base/text.h"
#include "glimpse/models/captioner/config.h"

namespace glimpse {

std::vector<std::string> recipe_names() {
  std::vector<std::string> names;
  for (const BuiltInRecipe& recipe : built_in_recipes()) names.push_back(recipe.name);
  return names;
}

std::string recipe_text(const std::string& name) {
  for (const BuiltInRecipe& recipe : built_in_recipes())
    if (recipe.name == name) return recipe.text;
  fail("unknown recipe '{}'{}; there are {}, or give a path that ends in .json", name,
       did_you_mean(name, recipe_names()), fmt::join(recipe_names(), ", "));
}

}  // namespace glimpse
