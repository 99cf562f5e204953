// The small grammar of scene captions, and back from a caption to the objects that it names.
#include <algorithm>
#include <array>
#include <optional>

#include "glimpse/data/internal/scene_parts.h"
#include "glimpse/kernels/base/check.h"

namespace glimpse {
namespace {

constexpr std::array<std::string_view, 5> shape_words = {"circle", "square", "triangle", "star", "cross"};
constexpr std::array<std::string_view, 5> plural_words = {"circles", "squares", "triangles", "stars", "crosses"};
constexpr std::array<std::string_view, 6> colour_words = {"red", "orange", "yellow", "green", "blue", "purple"};
constexpr std::array<std::string_view, 4> size_words = {"small", "large", "little",
                                                        "big"};  // [size + 2 * other wording]

std::string_view word(SceneShape shape) { return shape_words[static_cast<std::size_t>(shape)]; }
std::string_view plural(SceneShape shape) { return plural_words[static_cast<std::size_t>(shape)]; }
std::string_view word(SceneColour colour) { return colour_words[static_cast<std::size_t>(colour)]; }
std::string_view word(SceneSize size) { return size_words[static_cast<std::size_t>(size)]; }
std::string_view other_word(SceneSize size) { return size_words[static_cast<std::size_t>(size) + 2]; }

template <std::size_t N>
std::optional<std::size_t> find(const std::array<std::string_view, N>& words, std::string_view word) {
  const auto found = std::find(words.begin(), words.end(), word);
  if (found == words.end()) return std::nullopt;
  return static_cast<std::size_t>(found - words.begin());
}

/// "red circle"
std::string plain(const SceneObject& object) { return fmt::format("{} {}", word(object.colour), word(object.shape)); }
/// "large red circle"
std::string sized(const SceneObject& object) { return fmt::format("{} {}", word(object.size), plain(object)); }
/// "big red circle"
std::string sized_otherwise(const SceneObject& object) {
  return fmt::format("{} {}", other_word(object.size), plain(object));
}

/// "an orange circle", "a large orange circle"
std::string with_article(const std::string& noun) { return (noun[0] == 'o' ? "an " : "a ") + noun; }

std::string describe_place(int column, int row) {
  constexpr std::array<const char*, 9> places = {
      "in the top left corner",    "at the top",    "in the top right corner",  //
      "on the left side",          "in the middle", "on the right side",        //
      "in the bottom left corner", "at the bottom", "in the bottom right corner"};
  return places[static_cast<std::size_t>(3 * row + column)];
}

std::array<std::string, 5> describe_single(const scenes::Plan& plan) {
  const SceneObject& object = plan.objects[0];
  const std::string place = describe_place(plan.column, plan.row);
  return {fmt::format("{} {}", with_article(sized(object)), place),
          fmt::format("there is {} {}", with_article(sized_otherwise(object)), place),
          fmt::format("{} there is {}", place, with_article(sized(object))),
          fmt::format("a picture of {} {}", with_article(plain(object)), place),
          fmt::format("one {} can be seen {}", sized_otherwise(object), place)};
}

std::array<std::string, 5> describe_pair(const scenes::Plan& plan) {
  const SceneObject &first = plan.objects[0], &second = plan.objects[1];
  const std::string before = plan.vertical ? "above" : "to the left of";
  const std::string after = plan.vertical ? "below" : "to the right of";
  return {fmt::format("{} {} {}", with_article(sized(first)), before, with_article(sized(second))),
          fmt::format("{} {} {}", with_article(sized(second)), after, with_article(sized(first))),
          fmt::format("there is {} {} {}", with_article(plain(first)), before, with_article(plain(second))),
          fmt::format("the {} is {} the {}", sized_otherwise(second), after, sized_otherwise(first)),
          fmt::format("two shapes {} and {}", with_article(plain(first)), with_article(plain(second)))};
}

std::array<std::string, 5> describe_group(const scenes::Plan& plan) {
  const SceneObject& object = plan.objects[0];
  const std::string count = plan.objects.size() == 2 ? "two" : "three";
  const std::string nouns = fmt::format("{} {}", word(object.colour), plural(object.shape));
  const std::string way = plan.vertical ? "on top of each other" : "next to each other";
  const std::string line = plan.vertical ? "column" : "row";
  return {fmt::format("{} {} {} {}", count, word(object.size), nouns, way),
          fmt::format("there are {} {} {}", count, other_word(object.size), nouns),
          fmt::format("a picture of {} {} {}", count, nouns, way),
          fmt::format("a {} of {} {} {}", line, count, word(object.size), nouns),
          fmt::format("{} {} in a {}", count, nouns, line)};
}

}  // namespace

std::vector<std::vector<std::string>> scenes::describe(const Plan& plan) {
  const std::array<std::string, 5> captions = plan.kind == Kind::single ? describe_single(plan)
                                              : plan.kind == Kind::pair ? describe_pair(plan)
                                                                        : describe_group(plan);
  std::vector<std::vector<std::string>> result;
  for (const std::string& caption : captions) result.push_back(tokenize(caption));
  return result;
}

std::vector<NamedShape> named_shapes(const Scene& scene, const std::vector<std::string>& caption) {
  std::vector<NamedShape> result;
  for (std::size_t position = 0; position < caption.size(); ++position) {
    const auto one = find(shape_words, caption[position]), several = find(plural_words, caption[position]);
    if (!one && !several) continue;
    std::optional<std::size_t> colour, size;  // of the words just before the noun
    for (std::size_t i = position; i-- > 0;) {
      if (const auto found = find(colour_words, caption[i]))
        colour = found;
      else if (const auto other = find(size_words, caption[i]))
        size = *other % 2;
      else
        break;
    }
    NamedShape named{static_cast<std::int64_t>(position), {}};
    int fitting = 0;
    for (const SceneObject& object : scene.objects) {
      const bool fits = static_cast<std::size_t>(object.shape) == (one ? *one : *several) &&
                        (!colour || static_cast<std::size_t>(object.colour) == *colour) &&
                        (!size || static_cast<std::size_t>(object.size) == *size);
      if (!fits) continue;
      if (++fitting == 1)
        named.mask = object.mask;
      else
        for (std::size_t i = 0; i < named.mask.inside.size(); ++i) named.mask.inside[i] |= object.mask.inside[i];
    }
    if (one ? fitting == 1 : fitting >= 2) result.push_back(std::move(named));
  }
  return result;
}

}  // namespace glimpse
