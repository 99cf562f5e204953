#include "glimpse/models/training/run_comparison.h"

#include <algorithm>
#include <cmath>
#include <filesystem>
#include <map>
#include <numeric>

#include "glimpse/data/bootstrap.h"
#include "glimpse/kernels/base/check.h"
#include "glimpse/models/training/run_captions.h"
#include "glimpse/models/training/run_charts.h"
#include "glimpse/models/training/training_run.h"

namespace glimpse {
namespace {

constexpr const char* judged_by = "cider";  // the score that says most about a single caption
constexpr std::size_t shown = 12;           // images on each sheet
constexpr std::uint64_t drawn_by = 1;       // seed

struct Run {
  std::string name;
  Config config;
  std::vector<RunCaption> captions;
  Scores scores;
};

Run read_run(const RunFiles& files, const std::string& name) {
  check(std::filesystem::exists(files.captions()), "{}: there is no captions.json, which a run writes when it ends",
        files.path());
  return {name, recorded_config(files.path()), read_run_captions(files.captions()), {}};
}

std::vector<RunCaption> those_of(const std::vector<RunCaption>& captions, const std::vector<RunCaption>& also_in) {
  std::map<std::string, bool> there;
  for (const RunCaption& caption : also_in) there[caption.image.filename] = true;
  std::vector<RunCaption> result;
  for (const RunCaption& caption : captions)
    if (there.contains(caption.image.filename)) result.push_back(caption);
  std::sort(result.begin(), result.end(),
            [](const RunCaption& x, const RunCaption& y) { return x.image.filename < y.image.filename; });
  return result;
}

Scores scores_of(const std::vector<RunCaption>& captions) {
  std::vector<CaptionWords> words;
  std::vector<std::vector<CaptionWords>> references;
  for (const RunCaption& caption : captions) {
    words.push_back(caption.words);
    references.push_back(caption.image.captions);
  }
  return score_captions(words, references);
}

/// Keeps the images that both have, and says in a sentence what was not the same; "" where nothing was. Where no image
/// is in both, each keeps its own.
std::string keep_common(Run& a, Run& b) {
  const std::size_t of_a = a.captions.size(), of_b = b.captions.size();
  std::vector<RunCaption> common_a = those_of(a.captions, b.captions), common_b = those_of(b.captions, a.captions);
  check(common_a.size() == common_b.size(), "an image stands twice in one captions.json");
  if (common_a.empty())
    return fmt::format("No image is in both: A was validated on {}, B on {}, so that their scores do not compare.",
                       of_a, of_b);
  std::string note;
  if (common_a.size() < std::max(of_a, of_b))
    note = fmt::format("A was validated on {} images, B on {}: scores are of the {} that are in both.", of_a, of_b,
                       common_a.size());
  std::size_t differ = 0;
  for (std::size_t i = 0; i < common_a.size(); ++i) differ += common_a[i].image.captions != common_b[i].image.captions;
  if (differ > 0)
    note += fmt::format("{}The references of {} of {} images differ, and each run is scored by its own.",
                        note.empty() ? "" : " ", differ, common_a.size());
  a.captions = std::move(common_a);
  b.captions = std::move(common_b);
  return note;
}

std::string signed_text(const Score& score, double value) {
  return fmt::format("{:+.{}f}", score.scale * value, score.digits);
}

ReportTable score_table(const Run& a, const Run& b, const std::vector<ScoreDifference>& differences) {
  ReportTable table{{"", "A", "B"}, {}};
  if (!differences.empty()) table.headings.insert(table.headings.end(), {"A \u2212 B", "95 % interval"});
  for (std::size_t k = 0; k < a.scores.all.size(); ++k) {
    std::vector<std::string>& row =
        table.rows.emplace_back(std::vector{a.scores.all[k].label, a.scores.all[k].text(), b.scores.all[k].text()});
    if (differences.empty()) continue;
    const ScoreDifference& d = differences[k];
    row.push_back(signed_text(d.score, d.score.value));
    row.push_back(signed_text(d.score, d.interval.low) + " to " + signed_text(d.score, d.interval.high));
  }
  return table;
}

/// Charts of one title become one.
std::vector<ReportChart> merged(std::vector<ReportChart> charts, const std::vector<ReportChart>& others) {
  for (const ReportChart& other : others) {
    const auto same = std::find_if(charts.begin(), charts.end(),
                                   [&](const ReportChart& chart) { return chart.title == other.title; });
    if (same == charts.end())
      charts.push_back(other);
    else
      same->curves.insert(same->curves.end(), other.curves.begin(), other.curves.end());
  }
  return charts;
}

ReportTable different_values(const Config& a, const Config& b) {
  ReportTable table{{"", "A", "B"}, {}};
  std::map<std::string, std::string> of_b;
  for (const auto& [key, value] : configuration_rows(b)) of_b[key] = value;
  for (const auto& [key, value] : configuration_rows(a))
    if (of_b[key] != value) table.rows.push_back({key, value, of_b[key]});
  return table;
}

ReportCaption caption_of(const Run& run, std::size_t i) {
  ReportCaption caption{run.captions[i].words, run.scores.of_image(i, judged_by), run.captions[i].rule};
  caption.by = run.name;
  return caption;
}

/// The images on which one is most above the other, and some that are drawn.
std::vector<ReportSheet> sheets_of(const Run& a, const Run& b, const PhotographFunction& photograph) {
  const std::size_t images = a.captions.size();
  const auto lead = [&](std::size_t i) { return a.scores.of_image(i, judged_by) - b.scores.of_image(i, judged_by); };
  const auto cards = [&](const std::vector<std::size_t>& order) {
    std::vector<ReportCard> result;
    for (const std::size_t i : order)
      result.push_back({a.captions[i].image.filename,
                        report_photograph(photograph(a.captions[i].image)),
                        {caption_of(a, i), caption_of(b, i)},
                        a.captions[i].image.captions});
    return result;
  };
  std::vector<std::size_t> order(images);
  std::iota(order.begin(), order.end(), 0);
  std::stable_sort(order.begin(), order.end(), [&](std::size_t i, std::size_t k) { return lead(i) > lead(k); });
  std::vector<std::size_t> first, last;
  for (std::size_t i = 0; i < images && i < shown && lead(order[i]) > 0; ++i) first.push_back(order[i]);
  for (std::size_t i = images; i > 0 && images - i < shown && lead(order[i - 1]) < 0; --i) last.push_back(order[i - 1]);
  const std::string by = fmt::format("By the difference of the {} of single captions.", score_named(judged_by).label);
  return {{"A is better", by, cards(first)},
          {"B is better", by, cards(last)},
          {"Random images", fmt::format("Drawn from all {} images by seed {}.", images, drawn_by),
           cards(random_images(images, shown, drawn_by))}};
}

}  // namespace

Report compare_runs(const RunFiles& files_a, const RunFiles& files_b, const PhotographFunction& photograph) {
  Run a = read_run(files_a, "A"), b = read_run(files_b, "B");
  Report report;
  report.title = "Two runs";
  report.summary = fmt::format("A: {} (recipe {}), B: {} (recipe {})", files_a.path(), a.config.recipe, files_b.path(),
                               b.config.recipe);
  const std::string note = keep_common(a, b);
  const bool same_images =
      a.captions.size() == b.captions.size() &&
      std::equal(a.captions.begin(), a.captions.end(), b.captions.begin(),
                 [](const RunCaption& x, const RunCaption& y) { return x.image.filename == y.image.filename; });
  a.scores = scores_of(a.captions);
  b.scores = scores_of(b.captions);
  std::vector<ScoreDifference> differences;
  if (same_images) differences = compare_scores(a.scores, b.scores);
  report.compared = score_table(a, b, differences);
  report.scores_note = same_images ? verdict(differences, judged_by, "A", "B") : "";
  if (!note.empty()) report.scores_note += (report.scores_note.empty() ? "" : ". ") + note;
  report.charts = merged(run_charts(files_a.log(), NAN, "A"), run_charts(files_b.log(), NAN, "B"));
  report.ranked_by = score_named(judged_by).label;
  if (same_images) report.sheets = sheets_of(a, b, photograph);
  report.configurations = different_values(a.config, b.config);
  return report;
}

}  // namespace glimpse
