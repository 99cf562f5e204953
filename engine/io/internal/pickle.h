#pragma once
// A reader of Python pickles that executes nothing.

#include <cstdint>
#include <deque>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "glimpse/engine/io/internal/byte_reader.h"

namespace glimpse {

/// A value of a pickle. Those of one pickle may refer to each other in any way, circles included.
struct PickleValue {
  enum class Kind {
    none,
    boolean,     // integer 0 or 1
    integer,     // integer
    real,        // not kept
    text,        // text
    list,        // items (tuples too)
    dictionary,  // entries, in order
    name,        // text: "module.class", of something that is not loaded
    call,        // function (a name) and arguments (a list); entries: what was set on the result
    persistent,  // arguments (a list): the identifier of a storage
  };
  using Pointer = const PickleValue*;

  Kind kind = Kind::none;
  std::int64_t integer = 0;
  std::string_view text;
  Pointer function = nullptr, arguments = nullptr;
  std::vector<Pointer> items;
  std::vector<std::pair<Pointer, Pointer>> entries;
};

/// The values of one pickle.
class Pickle {
 public:
  /// Reads one pickle from `reader` and stops behind it. Names of classes and functions other than those that `known`
  /// accepts are errors, as are opcodes that build other objects. Texts are views of the reader's bytes.
  Pickle(ByteReader& reader, bool (*known)(std::string_view name));

  const PickleValue& root() const { return *root_; }
  /// All values, wherever they ended up.
  const std::deque<PickleValue>& values() const { return values_; }

 private:
  friend class PickleMachine;
  std::deque<PickleValue> values_;  // stay where they are
  std::deque<std::string> names_;
  const PickleValue* root_ = nullptr;
};

}  // namespace glimpse
