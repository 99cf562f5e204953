#pragma once
// report.html of a run: one file that shows what was trained, how it went, and what it says about which pictures.

#include <array>
#include <limits>
#include <string>
#include <utility>
#include <vector>

#include "glimpse/data/attention_map.h"
#include "glimpse/data/image.h"
#include "glimpse/data/metrics.h"
#include "glimpse/data/words.h"

namespace glimpse {

/// A label and what stands beside it, as text.
using ReportRow = std::pair<std::string, std::string>;

/// One line of a chart. Points whose value is not finite are left out.
struct ReportCurve {
  std::string name;                           ///< "training", "validation"
  std::vector<std::array<double, 2>> points;  ///< (x, value), x rising
};

/// A chart with a common x axis of steps or epochs.
struct ReportChart {
  std::string title;    ///< "Loss", "Top-5 accuracy"
  std::string unit;     ///< written behind values: "%", "nats"; may be empty
  std::string x_label;  ///< "epoch"
  std::vector<ReportCurve> curves;
  double marked_x = std::numeric_limits<double>::quiet_NaN();  ///< the x of the model that was kept; NaN: no mark
};

/// A caption beside what people wrote.
struct ReportCaption {
  std::string name;  ///< of the image
  Image photograph;
  CaptionWords caption;
  std::vector<CaptionWords> references;
  double score = 0;                 ///< by which captions are ranked
  WordRule rule = WordRule::ascii;  ///< how the words are joined
};

/// A caption that can be read word by word with the map of each word; left out where it has no words.
struct ReportAttention {
  std::string name;
  Image photograph;
  AttentionMaps maps;
};

/// What a report shows, in this order. Parts that are empty are left out.
struct Report {
  std::string title;              ///< "scenes, default recipe"
  std::string summary;            ///< a sentence below it
  std::vector<ReportRow> scores;  ///< large numbers: {"BLEU-4", "0.213"}
  std::string scores_note;        ///< "val, 1000 images, beam 3, refs=karpathy-tokens"
  std::vector<ReportChart> charts;
  std::vector<ReportAttention> attention;
  std::string ranked_by;  ///< "CIDEr-D", the score of the single captions below
  std::vector<ReportCaption> best, worst;
  std::vector<ReportRow> configuration;
};

/// All scores as rows with three decimals.
std::vector<ReportRow> score_rows(const Scores& scores);

/// The page: UTF-8, with pictures, style and script inside; it loads nothing and follows the reader's light or dark
/// setting. All text is escaped. Pictures are reduced to at most 480 pixels.
std::string report_html(const Report& report);

/// Writes the page under a temporary name, then renames. Throws Error naming the path.
void write_report(const std::string& path, const Report& report);

}  // namespace glimpse
