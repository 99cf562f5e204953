#pragma once
// JSON that comes from files, parsed by nlohmann/json within bounds: time linear in the length, limited depth, limited
// memory, no key twice in an object. Every Error names `where` and the line.

#include <cstdint>
#include <functional>
#include <nlohmann/json.hpp>
#include <string>
#include <string_view>

namespace glimpse {

/// Objects and arrays inside each other that a document may have.
constexpr int deepest_json = 64;

/// Parses a whole document. Throws Error for broken JSON, a number that no double holds, a key twice in an object,
/// nesting deeper than `depth`, and values that would take more than 768 MiB.
nlohmann::json parse_json(std::string_view text, const std::string& where, int depth = deepest_json);

/// A part of a document: an element of the outermost array, or of an array that is a member of the outermost object, or
/// another member of that object.
struct JsonPart {
  std::string section;      ///< the member's key; "" in an outermost array
  std::int64_t index = -1;  ///< in the array; -1 for a member that is none
  std::size_t line = 1;     ///< where it begins
  nlohmann::json value;     ///< may be moved away
};

/// Parses a document part by part, each handed to `take` and then dropped, so that a large file costs little memory.
/// Members whose key `wanted` refuses are not built. Throws what parse_json throws; an Error of `take` gets `where` and
/// the part's line in front.
void parse_json_parts(std::string_view text, const std::string& where,
                      const std::function<bool(std::string_view section)>& wanted,
                      const std::function<void(JsonPart& part)>& take);

/// A value as it stands in an error, cut to some dozens of characters.
std::string json_text(const nlohmann::json& value);

}  // namespace glimpse
