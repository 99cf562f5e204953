# Writes OUTPUT, a C++ file with the text of each of RECIPES (paths joined by commas), so that programs find the built-in
# recipes from any directory. Run by the build, not by hand.
string(REPLACE "," ";" recipes "${RECIPES}")
set(entries "")
foreach(path IN LISTS recipes)
  get_filename_component(name ${path} NAME_WE)
  file(READ ${path} text)
  string(APPEND entries "      {\"${name}\", R\"RECIPE(${text})RECIPE\"},\n")
endforeach()
file(WRITE ${OUTPUT} "#include \"glimpse/models/captioner/recipes.h\"

namespace glimpse {

const std::vector<BuiltInRecipe>& built_in_recipes() {
  static const std::vector<BuiltInRecipe> recipes = {
${entries}  };
  return recipes;
}

}  // namespace glimpse
")
