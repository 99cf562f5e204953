#pragma once
// How much memory a call takes at its peak.

#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include <stdexcept>

namespace glimpse::test {

/// Largest resident memory in bytes of a process of its own that calls f() and ends; mapped pages that it reads count.
template <class F>
double resident_after(F&& f) {
  const pid_t child = fork();
  if (child < 0) throw std::runtime_error("cannot fork");
  if (child == 0) {
    f();
    _exit(0);
  }
  int status = 0;
  rusage usage{};
  wait4(child, &status, 0, &usage);
  if (!WIFEXITED(status) || WEXITSTATUS(status) != 0) throw std::runtime_error("the call did not return");
  return 1024.0 * static_cast<double>(usage.ru_maxrss);
}

/// Bytes that f() takes at its peak, above those of a process that does nothing.
template <class F>
double memory_of(F&& f) {
  const double before = resident_after([] {});
  return resident_after(f) - before;
}

}  // namespace glimpse::test
