#pragma once
// How long work speaks with whoever started it: what it says, and whether it is to stop.

#include <functional>
#include <string>

#include "glimpse/kernels/base/error.h"

namespace glimpse {

/// Thrown where a wish to stop ends work that leaves nothing behind to go on with.
class Stopped : public Error {
 public:
  Stopped() : Error("stopped on request") {}
};

/// Does nothing and never stops; derive from it to show lines, or to stop.
class Observer {
 public:
  virtual ~Observer() = default;
  /// A line to keep: what was read, decided or reached.
  virtual void say(const std::string& /*line*/) {}
  /// Where the work stands; called often. `line` makes the text, and need only be called where it is shown.
  virtual void progress(const std::function<std::string()>& /*line*/) {}
  /// Whether to stop at the next good moment.
  virtual bool stop() { return false; }
};

}  // namespace glimpse
