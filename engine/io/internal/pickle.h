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
    text,        // text (bytes too)
    list,        // items (tuples too)
    dictionary,  // entries, in order
    set,         // not kept
    name,        // text: "module.class", of something that is not loaded
    call,        // function, usually a name, and arguments (a list): what would be called or made, and is not;
                 // entries: what was set on the result; state: its attributes
    persistent,  // arguments (a list): the identifier of a storage
  };
  using Pointer = const PickleValue*;

  Kind kind = Kind::none;
  std::int64_t integer = 0;
  std::string_view text;
  Pointer function = nullptr, arguments = nullptr, state = nullptr;
  std::vector<Pointer> items;
  std::vector<std::pair<Pointer, Pointer>> entries;
};

/// The values of one pickle, of any of the protocols 0 to 5.
class Pickle {
 public:
  /// Reads one pickle from `reader` and stops behind it. Classes and functions become names, and calls of them values:
  /// whoever looks at the values decides which of them mean something. Throws Error for a damaged pickle, for opcodes
  /// that need more than the pickle itself (registered extensions, buffers beside it), and for more than five million
  /// opcodes, which no file of weights has and which bounds the memory. Texts are views of the reader's bytes.
  explicit Pickle(ByteReader& reader);

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
