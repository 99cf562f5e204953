#include "glimpse/models/training/run_log.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <nlohmann/json.hpp>

#include "glimpse/kernels/base/check.h"

namespace glimpse {
namespace {

using Json = nlohmann::ordered_json;

/// Six significant digits: what a reader of log.jsonl can use.
double rounded(double x) { return std::stod(fmt::format("{:.6g}", x)); }

/// The same for every number of a JSON value.
Json rounded(const Json& json) {
  if (json.is_number_float()) return rounded(json.get<double>());
  Json result = json;
  if (json.is_array())
    for (Json& element : result) element = rounded(element);
  return result;
}

}  // namespace

RunLog::RunLog(const std::string& path, std::int64_t bytes) : path_(path) {
  const int flags = O_CREAT | O_WRONLY | O_CLOEXEC | O_APPEND | O_NOFOLLOW | O_NONBLOCK;
  do {
    file_ = ::open(path.c_str(), flags, 0666);
  } while (file_ < 0 && errno == EINTR);
  check(file_ >= 0, "{}: {}", path, errno == ELOOP ? "is a symbolic link" : std::strerror(errno));
  struct stat status {};
  int error = ::fstat(file_, &status) == 0 ? (S_ISREG(status.st_mode) ? 0 : EINVAL) : errno;
  bytes_ = std::min<std::int64_t>(bytes, status.st_size);
  while (error == 0 && ::ftruncate(file_, bytes_) != 0)
    if (errno != EINTR) error = errno;
  if (error == 0) return;
  ::close(file_);
  fail("{}: {}", path, error == EINVAL ? "is no regular file" : std::strerror(error));
}

RunLog::~RunLog() { ::close(file_); }

void RunLog::write_line(const std::string& json) {
  const std::string line = json + "\n";
  std::size_t done = 0;
  while (done < line.size()) {
    const ssize_t n = ::write(file_, line.data() + done, line.size() - done);
    if (n < 0 && errno == EINTR) continue;
    check(n > 0, "{}: {}", path_, std::strerror(errno));
    done += static_cast<std::size_t>(n);
  }
  bytes_ += static_cast<std::int64_t>(line.size());
}

void RunLog::sync() {
  while (::fsync(file_) != 0) check(errno == EINTR, "{}: {}", path_, std::strerror(errno));
}

void RunLog::write(const StepRecord& r) {
  Json line = {{"step", r.step},
               {"epoch", r.epoch},
               {"loss", rounded(r.result.loss)},
               {"attention_penalty", rounded(r.result.attention_penalty)},
               {"learning_rate", rounded(r.result.learning_rate)},
               {"gradient_norm", rounded(r.result.gradient_norm)},
               {"captions_per_s", rounded(r.captions_per_s)},
               {"data_wait", rounded(r.data_wait)},
               {"seconds", rounded(r.seconds)}};
  if (r.result.reward) line["reward"] = rounded(*r.result.reward);
  if (r.result.baseline) line["baseline"] = rounded(*r.result.baseline);
  if (r.result.scheduled_sampling > 0) line["scheduled_sampling"] = rounded(r.result.scheduled_sampling);
  write_line(line.dump());
}

void RunLog::write(const EpochRecord& r) {
  const Validation& v = r.validation;
  Json line = {{"epoch", r.epoch},
               {"step", r.step},
               {"train_loss", rounded(r.train_loss)},
               {"val_loss", rounded(v.forced.loss)},
               {"val_perplexity", rounded(v.forced.perplexity())},
               {"val_top1", rounded(v.forced.top1)},
               {"val_top5", rounded(v.forced.top5)}};
  const Json scores = Json::parse(v.scores.json());
  for (const auto& [metric, value] : scores.items()) line["val_" + metric] = rounded(value);
  line["distinct"] = rounded(v.statistics.distinct);
  line["unknown"] = rounded(v.statistics.unknown);
  line["mean_length"] = rounded(v.statistics.mean_length);
  line["bad_endings"] = rounded(v.statistics.bad_endings);
  line["best"] = r.best;
  line["learning_rate"] = rounded(r.learning_rate);
  line["skipped_steps"] = r.skipped_steps;
  line["captions_per_s"] = rounded(r.captions_per_s);
  line["validation_seconds"] = rounded(v.seconds);
  line["peak_tensor_bytes"] = r.peak_tensor_bytes;
  line["seconds"] = rounded(r.seconds);
  write_line(line.dump());
}

}  // namespace glimpse
