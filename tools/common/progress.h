#pragma once
// How far a long piece of work is: one line that is rewritten on a terminal, a plain line now and then elsewhere.

#include <chrono>
#include <string>

namespace glimpse::tools {

/// Seconds since construction.
class Stopwatch {
 public:
  double seconds() const { return std::chrono::duration<double>(std::chrono::steady_clock::now() - begin_).count(); }

 private:
  std::chrono::steady_clock::time_point begin_ = std::chrono::steady_clock::now();
};

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

}  // namespace glimpse::tools
