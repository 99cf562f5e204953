#pragma once
// Launches captured once and replayed at the cost of one. Only a build with nvcc has it (graph.cu).

#include <functional>

namespace glimpse::bench {

class Graph {
 public:
  static bool built();
  /// Runs `work`, which must use `stream` alone, and keeps its launches instead of making them. Throws Error for work
  /// that cannot be captured.
  Graph(void* stream, const std::function<void()>& work);
  ~Graph();
  Graph(const Graph&) = delete;
  Graph& operator=(const Graph&) = delete;
  void replay();

 private:
  void* stream_ = nullptr;
  void* executable_ = nullptr;
};

}  // namespace glimpse::bench
