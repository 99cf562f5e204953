#define CATCH_CONFIG_RUNNER
#include "main.h"

#include <iostream>

#include "catch.h"

// fontconfig keeps what it has found out about the system's fonts until the process ends. For AddressSanitizer.
extern "C" const char* __lsan_default_suppressions() { return "leak:libfontconfig"; }

int main(int argc, char** argv) {
  Catch::Session session;
  if (const int error = session.applyCommandLine(argc, argv)) return error;
  const auto& config = session.configData();
#ifdef GLIMPSE_CATCH2_V2
  const bool only_lists = config.listTests || config.listTestNamesOnly || config.listTags || config.listReporters;
#else
  const bool only_lists = config.listTests || config.listTags || config.listReporters || config.listListeners;
#endif
  constexpr int skipped = 77;
  const auto ask = glimpse::test::reason_to_skip;
  if (const std::string reason = ask && !only_lists ? ask() : ""; !reason.empty()) {
    std::cout << "skipped: " << reason << "\n";
    return skipped;
  }
  return session.run();
}
