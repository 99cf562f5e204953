#pragma once
// A wish to stop, which long work obeys at the next moment at which it can go on from later.

namespace glimpse::tools {

/// While one lives, the first SIGINT (Ctrl-C), SIGTERM or SIGHUP (the terminal is gone) only sets a flag; the second
/// ends the program at once. A signal that is ignored, as under nohup, stays so.
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
