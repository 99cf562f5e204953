#include "glimpse/models/training/run_report.h"

#include "glimpse/data/report.h"
#include "glimpse/engine/device.h"
#include "glimpse/kernels/base/check.h"
#include "glimpse/kernels/base/text.h"
#include "glimpse/models/training/report_card.h"
#include "glimpse/models/training/run_captions.h"
#include "glimpse/models/training/run_charts.h"

namespace glimpse {
namespace {

constexpr int report_beam = 3;
constexpr std::size_t shown_captions = 8;   // on each sheet
constexpr std::uint64_t drawn_by = 1;       // seed
constexpr const char* ranked_by = "cider";  // the score that says most about a single caption

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
  report.charts = run_charts(folder.log(), static_cast<double>(state.best_epoch + 1));
  report.configuration = configuration_rows(model.config);
  report.ranked_by = score_named(ranked_by).label;
  report.beta_is = meaning_of_beta(model.config.decoder);
  report.sheets = report_sheets(scores, ranked_by, shown_captions, drawn_by, [&](std::size_t i) {
    return report_card(dataset, *images[i], report_caption(decoded.captions[i].front(), scores.of_image(i, ranked_by)));
  });
  write_run_captions(folder.captions(), images, best_captions(decoded), dataset.captions().rule);
  write_report(folder.report(), report);
}

}  // namespace glimpse
