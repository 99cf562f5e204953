#pragma once
// How a run that was stopped and resumed is compared with one that never stopped.

#include <nlohmann/json.hpp>
#include <sstream>
#include <string>
#include <vector>

#include "catch.h"
#include "glimpse/engine/io/safetensors.h"
#include "program.h"

namespace glimpse {

/// The values of the log that do not depend on the clock, line by line.
inline std::vector<nlohmann::json> log_of(const std::string& run) {
  std::vector<nlohmann::json> lines;
  std::istringstream log(slurp(run + "/log.jsonl"));
  for (std::string line; std::getline(log, line);) {
    nlohmann::json json = nlohmann::json::parse(line);
    for (const char* key : {"seconds", "captions_per_s", "data_wait", "validation_seconds", "peak_tensor_bytes"})
      json.erase(key);
    lines.push_back(json);
  }
  return lines;
}

/// Both folders hold the same model, checkpoint and log.
inline void require_equal_runs(const std::string& a, const std::string& b) {
  REQUIRE(slurp(a + "/best.safetensors") == slurp(b + "/best.safetensors"));
  const SafetensorsFile x = read_safetensors(a + "/last.safetensors"), y = read_safetensors(b + "/last.safetensors");
  REQUIRE(x.tensors.size() == y.tensors.size());
  for (std::size_t i = 0; i < x.tensors.size(); ++i) {
    CAPTURE(x.tensors[i].name);
    REQUIRE(x.tensors[i].name == y.tensors[i].name);
    REQUIRE(x.tensors[i].tensor.to_vector<float>() == y.tensors[i].tensor.to_vector<float>());
  }
  REQUIRE(log_of(a) == log_of(b));
}

}  // namespace glimpse
