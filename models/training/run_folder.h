#pragma once
// The folder of a training run: config.json, log.jsonl, last.safetensors, best.safetensors, report.html, and unless it
// lies elsewhere features.safetensors.

#include <cstdint>
#include <string>

namespace glimpse {

/// Where the files of a run lie.
class RunFiles {
 public:
  explicit RunFiles(std::string folder);

  const std::string& path() const { return path_; }
  std::string config() const { return path_ + "/config.json"; }
  std::string log() const { return path_ + "/log.jsonl"; }
  std::string last() const { return path_ + "/last.safetensors"; }
  std::string best() const { return path_ + "/best.safetensors"; }
  std::string report() const { return path_ + "/report.html"; }
  std::string skipped() const { return path_ + "/skipped.txt"; }

 private:
  std::string path_;
};

/// One run's folder, held by one process at a time.
class RunFolder : public RunFiles {
 public:
  /// Opens or creates the folder and takes its lock. Throws Error when it cannot be written, when another process
  /// trains there, and when fewer than `bytes_needed` are free on its disk; a folder created here is then removed
  /// again.
  RunFolder(const std::string& path, std::int64_t bytes_needed);
  ~RunFolder();
  RunFolder(const RunFolder&) = delete;
  RunFolder& operator=(const RunFolder&) = delete;

  /// Removes what an earlier run left here, so that nothing of it is taken for this one's; the feature cache stays.
  void clear();
  /// clear(), and removes the folders that were made for this run: nothing of it is left.
  void abandon();

 private:
  std::string created_;  // the topmost folder that the constructor made, if any
  int folder_ = -1;
};

/// Whether `path` is a folder that holds a run.
bool is_run(const std::string& path);

}  // namespace glimpse
