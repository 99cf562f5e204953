#include "evaluation_report.h"

#include <fmt/format.h>

#include <filesystem>

#include "glimpse/models/training/report_card.h"

namespace glimpse::tools {
namespace {

constexpr const char* ranked_by = "cider";  // the score that says most about a single caption
constexpr std::size_t shown = 12;           // images on each sheet
constexpr std::uint64_t drawn_by = 1;       // seed

ReportCard card(const Evaluation& e, const Dataset* photographs, std::size_t i) {
  const double score = e.scores.of_image(i, ranked_by);
  const bool of_model = !e.decoded.captions.empty();
  ReportCaption caption =
      of_model ? report_caption(e.decoded.captions[i].front(), score) : ReportCaption{e.captions[i], score, e.rule};
  if (photographs != nullptr) return report_card(*photographs, *e.images[i], std::move(caption));
  return {e.images[i]->filename, {}, {std::move(caption)}, e.images[i]->captions};
}

}  // namespace

Report evaluation_report(const Evaluation& e, const Dataset* photographs) {
  Report report;
  report.title = std::filesystem::path(e.system).filename().string();
  report.summary = fmt::format("{}: split {}, {} images{}", e.system, e.split, e.scores.images, e.decoding);
  for (const Score& score : e.scores.all) report.scores.emplace_back(score.label, score.text());
  report.scores_note = "refs=tokens of the caption file";
  report.ranked_by = score_named(ranked_by).label;
  report.beta_is = e.beta_is;
  report.sheets =
      report_sheets(e.scores, ranked_by, shown, drawn_by, [&](std::size_t i) { return card(e, photographs, i); });
  return report;
}

}  // namespace glimpse::tools
