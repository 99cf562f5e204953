#pragma once
// Ctrl-C, which long work obeys at the next moment at which it can go on from later.

namespace glimpse::tools {

/// While one lives, the first SIGINT or SIGTERM only sets a flag; the second ends the program at once.
class Interrupt {
 public:
  Interrupt();
  ~Interrupt();
  Interrupt(const Interrupt&) = delete;
  Interrupt& operator=(const Interrupt&) = delete;

  /// Whether somebody asked to stop.
  static bool requested();
};

}  // namespace glimpse::tools
