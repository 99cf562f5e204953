// As tests/main.cpp; on a machine without a GPU, test_gpu ends with the code that ctest shows as "skipped".
#define CATCH_CONFIG_RUNNER
#include "catch.h"

#include <iostream>

#include "glimpse/kernels/cuda/runtime.h"

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
  if (!only_lists && !glimpse::cuda::available()) {
    std::cout << "skipped: " << glimpse::cuda::why_unavailable() << "\n";
    return skipped;
  }
  return session.run();
}
