// Launches captured as a CUDA graph; no kernels of its own.

#include "graph.h"

#include <cuda_runtime.h>

#include <string>

#include "glimpse/kernels/base/error.h"

namespace glimpse::bench {
namespace {

void check(cudaError_t error, const char* doing) {
  if (error == cudaSuccess) return;
  cudaGetLastError();  // it is reported here
  throw Error(std::string("CUDA graph: ") + doing + ": " + cudaGetErrorString(error));
}

}  // namespace

bool Graph::built() { return true; }

Graph::Graph(void* stream, const std::function<void()>& work) : stream_(stream) {
  const auto native = static_cast<cudaStream_t>(stream);
  cudaGraph_t graph = nullptr;
  check(cudaStreamBeginCapture(native, cudaStreamCaptureModeThreadLocal), "beginning a capture");
  try {
    work();
  } catch (...) {
    cudaStreamEndCapture(native, &graph);
    if (graph) cudaGraphDestroy(graph);
    cudaGetLastError();
    throw;
  }
  check(cudaStreamEndCapture(native, &graph), "ending a capture");
  cudaGraphExec_t executable = nullptr;
  const cudaError_t error = cudaGraphInstantiate(&executable, graph, 0);
  cudaGraphDestroy(graph);
  check(error, "instantiating");
  executable_ = executable;
}

Graph::~Graph() {
  cudaStreamSynchronize(static_cast<cudaStream_t>(stream_));
  cudaGraphExecDestroy(static_cast<cudaGraphExec_t>(executable_));
}

void Graph::replay() {
  check(cudaGraphLaunch(static_cast<cudaGraphExec_t>(executable_), static_cast<cudaStream_t>(stream_)), "replaying");
}

}  // namespace glimpse::bench
