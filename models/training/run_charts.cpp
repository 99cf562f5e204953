#include "glimpse/models/training/run_charts.h"

#include "glimpse/engine/io/file.h"
#include "glimpse/engine/io/internal/json.h"
#include "glimpse/kernels/base/error.h"

namespace glimpse {
namespace {

using Json = nlohmann::json;

/// The epoch lines: those that have a validation loss.
std::vector<Json> epochs_of(const std::string& log) {
  std::vector<Json> epochs;
  const std::string text = read_text_file(log);
  for (std::size_t begin = 0, end; (end = text.find('\n', begin)) != std::string::npos; begin = end + 1) try {
      Json line = parse_json(std::string_view(text).substr(begin, end - begin), log);
      if (line.is_object() && line.contains("val_loss") && line.contains("epoch")) epochs.push_back(std::move(line));
    } catch (const Error&) {  // the rest of the log is as good as before
    }
  return epochs;
}

/// A number of an epoch line, NaN where there is none; the last one of a list stands for a metric.
double number(const Json& line, const std::string& key) {
  const auto found = line.find(key);
  if (found == line.end() || (found->is_array() && found->empty())) return std::numeric_limits<double>::quiet_NaN();
  const Json& value = found->is_array() ? found->back() : *found;
  return value.is_number() ? value.get<double>() : std::numeric_limits<double>::quiet_NaN();
}

ReportCurve curve(const std::string& name, const std::vector<Json>& epochs, const std::string& key, double scale = 1) {
  ReportCurve result{name, {}};
  for (const Json& line : epochs) result.points.push_back({number(line, "epoch"), scale * number(line, key)});
  return result;
}

}  // namespace

std::vector<ReportChart> run_charts(const std::string& log, double kept, const std::string& run) {
  const std::vector<Json> epochs = epochs_of(log);
  const auto named = [&](const char* name) { return run.empty() ? name : run + ", " + name; };
  std::vector<ReportChart> charts;
  const auto add = [&](const std::string& title, const char* unit, std::vector<ReportCurve> curves) {
    charts.push_back({title, unit, "epoch", std::move(curves), kept});
  };
  add("Loss", "nats a word",
      {curve(named("training"), epochs, "train_loss"), curve(named("validation"), epochs, "val_loss")});
  add("Words predicted right, the true words given", "%",
      {curve(named("validation, top-1"), epochs, "val_top1", 100),
       curve(named("validation, top-5"), epochs, "val_top5", 100)});
  for (const std::string& name : score_names()) {
    const Score& score = score_named(name);
    if (score.of_metric)
      add(score.label + " of free-running captions", "", {curve(named("validation"), epochs, "val_" + score.metric)});
  }
  return charts;
}

std::vector<ReportRow> configuration_rows(const Config& config) {
  std::vector<ReportRow> rows;
  const auto whole = nlohmann::ordered_json::parse(config_to_json(config));
  for (const auto& [group, values] : whole.items()) {
    if (!values.is_object()) {
      rows.emplace_back(group, values.get<std::string>());
      continue;
    }
    for (const auto& [key, value] : values.items())
      rows.emplace_back(group + "." + key, value.is_string() ? value.get<std::string>() : value.dump());
  }
  return rows;
}

}  // namespace glimpse
