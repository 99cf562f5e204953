#include "run_report.h"

#include <algorithm>
#include <nlohmann/json.hpp>

#include "decoding.h"
#include "evaluation.h"
#include "glimpse/data/report.h"
#include "glimpse/engine/io/file.h"
#include "glimpse/kernels/base/check.h"
#include "glimpse/models/captioner/captioner.h"
#include "program.h"

namespace glimpse::tools {
namespace {

using Json = nlohmann::ordered_json;

constexpr int report_beam = 3;
constexpr std::size_t shown_captions = 8, shown_maps = 6;

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

std::vector<ReportChart> charts_of(const std::vector<Json>& epochs, const TrainingState& state) {
  const auto number = [](const char* key) { return [key](const Json& line) { return line.value(key, 0.0); }; };
  ReportChart loss{"Loss", "nats a word", "epoch", {}, {}};
  loss.curves = {curve("training", epochs, number("train_loss")), curve("validation", epochs, number("val_loss"))};
  ReportChart top5{"Top-5 accuracy, the true words given", "%", "epoch", {}, {}};
  top5.curves = {curve("validation", epochs, [](const Json& line) { return 100 * line.value("val_top5", 0.0); })};
  ReportChart bleu{"BLEU-4 of free-running captions", "", "epoch", {}, {}};
  bleu.curves = {curve("validation", epochs, [](const Json& line) { return line.at("val_bleu").at(3).get<double>(); })};
  ReportChart cider{"CIDEr-D of free-running captions", "", "epoch", {}, {}};
  cider.curves = {curve("validation", epochs, number("val_cider_d"))};
  std::vector<ReportChart> charts{loss, top5, bleu, cider};
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

std::string joined(const CaptionWords& words) { return fmt::format("{}", fmt::join(words, " ")); }

}  // namespace

void write_run_report(const RunFolder& folder, const Examples& examples, const FeatureCache* cache,
                      const TrainingState& state, Progress& progress) {
  const Captioner captioner = load_captioner(folder.best());
  const Vocabulary vocabulary(captioner.words);
  const ImageList images = examples.split_or_fail("val");
  const FeatureFunction features =
      cache != nullptr ? cached_features(*cache, captioner.device()) : encoded_features(captioner, examples);
  BeamOptions beam;
  beam.beam = report_beam;
  beam.length_penalty = default_length_penalty;
  beam.max_length = captioner.config.validation.max_words + 1;
  const DecodedSplit decoded =
      decode_split(captioner.decoder, images, features, beam, captioner.config.validation.batch);
  const std::vector<CaptionWords> captions = best_captions(decoded, vocabulary);
  const Scores scores = score_captions(captions, references_of(images));

  Report report;
  report.title = fmt::format("{}, recipe {}", examples.description(), captioner.config.recipe);
  report.summary = fmt::format("{}; {} words; best epoch {} of {}, {} of training", captioner.encoder.description(),
                               vocabulary.size(), state.best_epoch + 1, state.epoch, human_seconds(state.seconds));
  report.scores = score_rows(scores);
  report.scores_note =
      fmt::format("val, {} images, beam {}, refs=tokens of the caption file", scores.images, report_beam);
  progress.print(fmt::format("val, beam {}: BLEU-1..4 {:.1f} {:.1f} {:.1f} {:.1f}  ROUGE-L {:.3f}  CIDEr-D {:.3f}",
                             report_beam, 100 * scores.bleu[0], 100 * scores.bleu[1], 100 * scores.bleu[2],
                             100 * scores.bleu[3], scores.rouge_l, scores.cider_d));
  report.charts = charts_of(epochs_of(folder.log()), state);
  report.configuration = configuration_rows(captioner.config);

  const auto caption_at = [&](std::size_t i) {
    ReportCaption entry{images[i]->filename, examples.image(*images[i]), joined(captions[i]), {}, 0};
    for (const CaptionWords& reference : images[i]->captions) entry.references.push_back(joined(reference));
    entry.cider_d = scores.per_image[i].cider_d;
    return entry;
  };
  const RankedImages ranked = rank_by_cider_d(scores, shown_captions);
  for (const std::size_t i : ranked.best) report.best.push_back(caption_at(i));
  for (const std::size_t i : ranked.worst) report.worst.push_back(caption_at(i));

  if (captioner.config.decoder.attention != "none") {
    beam.keep_alphas = true;
    const std::size_t step = std::max<std::size_t>(1, images.size() / shown_maps);
    ImageList few;
    for (std::size_t i = 0; i < images.size() && few.size() < shown_maps; i += step) few.push_back(images[i]);
    const DecodedSplit mapped = decode_split(captioner.decoder, few, features, beam, std::ssize(few));
    for (std::size_t i = 0; i < few.size(); ++i)
      report.attention.push_back({few[i]->filename, examples.image(*few[i]),
                                  attention_maps(mapped.captions[i].front(), vocabulary, captioner.encoder)});
  }
  write_report(folder.report(), report);
}

}  // namespace glimpse::tools
