#pragma once
// How far a long piece of work is: one line that is rewritten on a terminal, a plain line now and then elsewhere.

#include <functional>
#include <string>

#include "glimpse/kernels/base/stopwatch.h"
#include "glimpse/models/captioner/observer.h"

namespace glimpse::tools {

class Progress {
 public:
  /// Writes to stderr. Plain lines come `seconds_between` apart at least.
  explicit Progress(double seconds_between = 30);
  ~Progress();

  /// Shows `line`, if it is time to.
  void update(const std::string& line);
  /// Prints `line` to stdout for good, and clears what update() showed.
  void print(const std::string& line);
  /// Clears what update() showed.
  void clear();
  /// Whether update() would show something now; saves the making of lines.
  bool due() const;

 private:
  bool terminal_;
  bool shown_ = false;
  double between_;
  double last_ = 0;
  Stopwatch watch_;
};

/// Shows what the library's long work says, and stops it on Ctrl-C (interrupt.h).
class TerminalObserver : public Observer {
 public:
  explicit TerminalObserver(Progress& progress) : progress_(progress) {}
  void say(const std::string& line) override { progress_.print(line); }
  void progress(const std::function<std::string()>& line) override {
    if (progress_.due()) progress_.update(line());
  }
  bool stop() override;

 private:
  Progress& progress_;
};

}  // namespace glimpse::tools
