#include "progress.h"

#include <sys/ioctl.h>
#include <unistd.h>

#include "glimpse/kernels/base/utf8.h"
#include "interrupt.h"
#include "program.h"

namespace glimpse::tools {
namespace {

/// Columns of the terminal; a longer line would wrap and could not be rewritten.
std::size_t columns() {
  winsize size{};
  return ::ioctl(STDERR_FILENO, TIOCGWINSZ, &size) == 0 && size.ws_col > 1 ? size.ws_col - 1u : 79u;
}

}  // namespace

Progress::Progress(double seconds_between) : terminal_(::isatty(STDERR_FILENO) == 1) {
  between_ = terminal_ ? 0.1 : seconds_between;
}

Progress::~Progress() { clear(); }

bool Progress::due() const { return watch_.seconds() - last_ >= between_; }

void Progress::update(const std::string& line) {
  if (!due()) return;
  last_ = watch_.seconds();
  write_text(stderr, terminal_ ? "\r\x1b[K" + printable(line, columns()) : printable(line, 1000) + "\n");
  shown_ = terminal_;
}

void Progress::clear() {
  if (shown_) write_text(stderr, "\r\x1b[K");
  shown_ = false;
}

void Progress::print(const std::string& line) {
  clear();
  write_text(stdout, printable_lines(line) + "\n");
}

bool TerminalObserver::stop() { return Interrupt::requested(); }

}  // namespace glimpse::tools
