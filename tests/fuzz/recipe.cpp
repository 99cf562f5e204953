// Recipes, and the configuration that a run keeps.
#include <stdexcept>

#include "fuzz.h"
#include "glimpse/models/captioner/config.h"

namespace glimpse::fuzz {
namespace {

void read(std::string_view bytes) {
  const Config config = config_from_json(std::string(bytes), "fuzz");
  if (!config_differences(config, config_from_json(config_to_json(config), "fuzz")).empty())
    throw std::logic_error("written and read: another configuration");
}

std::vector<std::string> seeds() {
  std::vector<std::string> result = {config_to_json({})};
  for (const std::string& name : recipe_names()) result.push_back(recipe_text(name));
  return result;
}

}  // namespace

const Target target{read, seeds};

}  // namespace glimpse::fuzz
