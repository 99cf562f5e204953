#include "interrupt.h"

#include <csignal>

namespace glimpse::tools {
namespace {

constexpr int stop_signals[] = {SIGINT, SIGTERM, SIGHUP};

volatile std::sig_atomic_t stop_requested = 0;

void request_stop(int signal) {
  stop_requested = 1;
  std::signal(signal, SIG_DFL);
}

/// Gives the stop signals that are not ignored a handler.
void handle(void (*handler)(int)) {
  for (const int signal : stop_signals)
    if (std::signal(signal, handler) == SIG_IGN) std::signal(signal, SIG_IGN);
}

}  // namespace

Interrupt::Interrupt() {
  stop_requested = 0;
  handle(request_stop);
}

Interrupt::~Interrupt() { handle(SIG_DFL); }

bool Interrupt::requested() { return stop_requested != 0; }

}  // namespace glimpse::tools
