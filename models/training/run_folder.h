#pragma once
// The folder of a training run: config.json, log.jsonl, last.safetensors, best.safetensors, report.html, captions.json,
// skipped.jsonl.

#include <cstdint>
#include <string>
#include <vector>

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
  std::string captions() const { return path_ + "/captions.json"; }
  std::string skipped() const { return path_ + "/skipped.jsonl"; }

 private:
  std::string path_;
};

/// What a run is to do with what its folder holds.
enum class RunStart : std::uint8_t {
  anew,      ///< begin; a run that holds anything of value is refused
  resume,    ///< go on from the checkpoint; begin where there is nothing of value
  overwrite  ///< begin, whatever there is
};

/// Whether a run that starts so in `folder` goes on from a checkpoint; false: it begins. A run that ended before its
/// first checkpoint holds nothing of value. Throws Error where the start would replace a model, a checkpoint or files
/// that are no run's, and for a checkpoint without its config.json.
bool goes_on(const std::string& folder, RunStart start);

/// One run's folder, held by one process at a time.
class RunFolder : public RunFiles {
 public:
  /// Opens or creates the folder and takes its lock. Throws Error when it cannot be written, when another process
  /// trains there, and when fewer than `bytes_needed` are free on its disk; folders made here are then removed again.
  RunFolder(const std::string& path, std::int64_t bytes_needed);
  ~RunFolder();
  RunFolder(const RunFolder&) = delete;
  RunFolder& operator=(const RunFolder&) = delete;

  /// Removes what an earlier run left here, so that nothing of it is taken for this one's.
  void clear();
  /// clear(), and removes those folders that were made for this run and hold nothing else.
  void abandon();

 private:
  void make_folders();
  bool take_lock();
  void remove_made();

  std::vector<std::string> made_;  // the folders that the constructor made, outermost first
  int folder_ = -1;
};

/// Whether `path` is a folder that holds a run.
bool is_run(const std::string& path);

}  // namespace glimpse
