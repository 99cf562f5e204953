#pragma once
// The page of a run or an evaluation: one file that shows what was trained, how it went, and what it says about which
// pictures, word by word with where it looked.

#include <array>
#include <cstdint>
#include <functional>
#include <limits>
#include <string>
#include <utility>
#include <vector>

#include "glimpse/data/attention_map.h"
#include "glimpse/data/image.h"
#include "glimpse/data/metrics.h"
#include "glimpse/data/search_tree.h"
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

/// A caption of an image.
struct ReportCaption {
  CaptionWords words;
  double score = 0;                 ///< by which captions are ranked
  WordRule rule = WordRule::ascii;  ///< how the words are joined
  AttentionMaps maps = {};          ///< of each word; without weights: not known
  SearchTree tree = {};             ///< how it was found; without nodes: not known
  std::string by = {};              ///< who wrote it, where an image has several captions: "A"
};

/// An image, its captions, and what people wrote of it.
struct ReportCard {
  std::string name;
  Image photograph;  ///< one without pixels is not shown
  std::vector<ReportCaption> captions;
  std::vector<CaptionWords> references;
};

/// Cards below a title.
struct ReportSheet {
  std::string title, note;
  std::vector<ReportCard> cards;
};

/// Rows below a row of headings; the first column names the rows.
struct ReportTable {
  std::vector<std::string> headings;
  std::vector<std::vector<std::string>> rows;
};

/// What a report shows, in this order. Parts that are empty are left out.
struct Report {
  std::string title;              ///< "scenes, default recipe"
  std::string summary;            ///< a sentence below it
  std::vector<ReportRow> scores;  ///< large numbers: {"BLEU-4", "0.213"}
  ReportTable compared;           ///< the scores of several, side by side
  std::string scores_note;        ///< "val, 1000 images, beam 3, refs=karpathy-tokens"
  std::vector<ReportChart> charts;
  std::string ranked_by;  ///< "CIDEr-D", what the score of a caption is
  std::string beta_is;    ///< what the number beside a word says: "the sentinel's share"
  std::vector<ReportSheet> sheets;
  std::vector<ReportRow> configuration;
  ReportTable configurations;  ///< of several, side by side
};

/// All scores as rows with three decimals.
std::vector<ReportRow> score_rows(const Scores& scores);

/// At most `count` of the numbers below `images`, drawn by `seed`, each once.
std::vector<std::size_t> random_images(std::size_t images, std::size_t count, std::uint64_t seed);

/// Sheets of the images whose captions are best and worst by `ranked_by` (a score's name), and of some drawn by `seed`;
/// at most `count` each, of whose number `card` makes the card.
std::vector<ReportSheet> report_sheets(const Scores& scores, const std::string& ranked_by, std::size_t count,
                                       std::uint64_t seed, const std::function<ReportCard(std::size_t)>& card);

/// The photograph of a card: no larger than a page shows it.
Image report_photograph(const Image& image);

/// The page: UTF-8, with pictures, style and script inside. It loads nothing, which its content security policy also
/// says, and follows the reader's light or dark setting. All text is escaped. An image takes about 40 KB of it: a
/// photograph of at most 480 pixels, and a byte for each word and cell of its maps. Throws Error for maps that do not
/// fit their words.
std::string report_html(const Report& report);

/// Writes the page under a temporary name, then renames. Throws Error naming the path.
void write_report(const std::string& path, const Report& report);

}  // namespace glimpse
