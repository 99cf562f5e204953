#include "glimpse/models/training/run_report.h"

#include <algorithm>
#include <limits>
#include <nlohmann/json.hpp>

#include "glimpse/data/report.h"
#include "glimpse/engine/device.h"
#include "glimpse/engine/io/file.h"
#include "glimpse/kernels/base/check.h"
#include "glimpse/kernels/base/text.h"
#include "glimpse/models/training/report_card.h"

namespace glimpse {
namespace {

using Json = nlohmann::ordered_json;

constexpr int report_beam = 3;
constexpr std::size_t shown_captions = 8;   // on each sheet
constexpr std::uint64_t drawn_by = 1;       // seed
constexpr const char* ranked_by = "cider";  // the score that says most about a single caption

/// The epoch lines of log.jsonl: those that have a validation loss.
std::vector<Json> epochs_of(const std::string& log) {
  std::vector<Json> epochs;
  const std::string text = read_text_file(log);
  for (std::size_t begin = 0, end; (end = text.find('\n', begin)) != std::string::npos; begin = end + 1) {
    const Json line = Json::parse(text.substr(begin, end - begin), nullptr, false);
    if (line.is_object() && line.contains("val_loss")) epochs.push_back(line);
  }
  return epochs;
}

/// One line of a chart: `value` of every epoch line.
template <class Value>
ReportCurve curve(const std::string& name, const std::vector<Json>& epochs, Value value) {
  ReportCurve result{name, {}};
  for (const Json& line : epochs) result.points.push_back({line.at("epoch").get<double>(), value(line)});
  return result;
}

/// A metric's number in an epoch line; the last one of a list stands for the metric.
double metric_value(const Json& line, const std::string& key) {
  if (!line.contains(key)) return std::numeric_limits<double>::quiet_NaN();
  const Json& value = line.at(key);
  return (value.is_array() ? value.back() : value).get<double>();
}

std::vector<ReportChart> charts_of(const std::vector<Json>& epochs, const Scores& scores, const TrainingState& state) {
  const auto number = [](const char* key) { return [key](const Json& line) { return line.value(key, 0.0); }; };
  ReportChart loss{"Loss", "nats a word", "epoch", {}, {}};
  loss.curves = {curve("training", epochs, number("train_loss")), curve("validation", epochs, number("val_loss"))};
  ReportChart accuracy{"Words predicted right, the true words given", "%", "epoch", {}, {}};
  const auto percent = [](const char* key) {
    return [key](const Json& line) { return 100 * metric_value(line, key); };
  };
  accuracy.curves = {curve("validation, top-1", epochs, percent("val_top1")),
                     curve("validation, top-5", epochs, percent("val_top5"))};
  std::vector<ReportChart> charts{loss, accuracy};
  for (const Score& score : scores.all) {
    if (!score.of_metric) continue;
    charts.push_back({score.label + " of free-running captions", "", "epoch", {}, {}});
    charts.back().curves = {
        curve("validation", epochs, [&](const Json& line) { return metric_value(line, "val_" + score.metric); })};
  }
  for (ReportChart& chart : charts) chart.marked_x = static_cast<double>(state.best_epoch + 1);
  return charts;
}

std::vector<ReportRow> configuration_rows(const Config& config) {
  std::vector<ReportRow> rows;
  const Json whole = Json::parse(config_to_json(config));
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

}  // namespace

void write_run_report(const RunFolder& folder, const Dataset& dataset, const FeatureCache* cache,
                      const TrainingState& state, Device device, Observer& observer) {
  const ExactProducts exact(device);
  CaptionModel model = load_model(folder.best());
  move_to(model, device);
  unfreeze(model);  // what a cache holds is what comes before the trained stages
  const ImageList images = dataset.require_split("val");
  const FeatureFunction features = cache != nullptr ? cached_features(model, *cache) : encoded_features(model, dataset);
  const ValidationConfig& validation = model.config.validation;
  const CaptionOptions options{.beam = report_beam,
                               .max_words = validation.max_words,
                               .attention = model.config.decoder.attends(),
                               .tree = true,
                               .batch = validation.batch};
  const DecodedSplit decoded = decode_split(model, images, features, options);
  const Scores scores = score_captions(best_captions(decoded), references_of(images));

  Report report;
  report.title = fmt::format("{}, recipe {}", dataset.description(), model.config.recipe);
  report.summary =
      fmt::format("{}; {} words; best epoch {} of {}, {} of training", model.encoder.description(),
                  model.vocabulary.size(), state.best_epoch + 1, state.epoch, human_seconds(state.seconds));
  report.scores = score_rows(scores);
  report.scores_note =
      fmt::format("val, {} images, beam {}, refs=tokens of the caption file", scores.images, report_beam);
  std::string line = fmt::format("val, beam {}:", report_beam);
  for (const Score& score : scores.all) line += fmt::format("  {} {}", score.label, score.text());
  observer.say(line);
  report.charts = charts_of(epochs_of(folder.log()), scores, state);
  report.configuration = configuration_rows(model.config);
  report.ranked_by = score_named(ranked_by).label;
  report.beta_is = meaning_of_beta(model.config.decoder);
  report.sheets = report_sheets(scores, ranked_by, shown_captions, drawn_by, [&](std::size_t i) {
    return report_card(dataset, *images[i], report_caption(decoded.captions[i].front(), scores.of_image(i, ranked_by)));
  });
  write_report(folder.report(), report);
}

}  // namespace glimpse
