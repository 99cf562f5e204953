#pragma once
// Enumerations with names: how a choice is written in recipes, on command lines and in errors.

#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace glimpse {

/// One value of an enumeration and how it is written.
template <class E>
struct Choice {
  E value;
  const char* name;
};
template <class E>
Choice(E, const char*) -> Choice<E>;  // Clang 16 does not find this by itself

/// An enumeration whose values have names has this function beside it:
///   constexpr auto choices(Gate) { return std::array{Choice{Gate::scalar, "scalar"}, Choice{Gate::vector, "vector"}};
///   }
template <class E>
concept NamedEnum = std::is_enum_v<E> && requires(E e) {
  choices(e);
};

/// How `value` is written.
template <NamedEnum E>
constexpr const char* name_of(E value) {
  for (const Choice<E>& choice : choices(value))
    if (choice.value == value) return choice.name;
  return "?";
}

/// The value that is written so; nothing when there is none.
template <NamedEnum E>
constexpr std::optional<E> choice_named(std::string_view name) {
  for (const Choice<E>& choice : choices(E{}))
    if (name == choice.name) return choice.value;
  return std::nullopt;
}

/// All names, in the order of the list.
template <NamedEnum E>
std::vector<std::string> choice_names() {
  std::vector<std::string> names;
  for (const Choice<E>& choice : choices(E{})) names.push_back(choice.name);
  return names;
}

}  // namespace glimpse
