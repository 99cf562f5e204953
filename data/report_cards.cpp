// The cards of a report: a photograph, its caption word by word with maps, and what people wrote.

#include <algorithm>
#include <cmath>
#include <set>

#include "glimpse/data/data_uri.h"
#include "glimpse/data/internal/report_parts.h"
#include "glimpse/engine/random.h"
#include "glimpse/kernels/base/check.h"

namespace glimpse {
namespace report_parts {
namespace {

std::set<std::string> words_of(const std::vector<CaptionWords>& captions) {
  std::set<std::string> words;
  for (const CaptionWords& caption : captions) words.insert(caption.begin(), caption.end());
  return words;
}

// A word; underlined where nobody wrote it of this picture.
std::string marked(const std::string& word, const std::set<std::string>& known) {
  return known.empty() || known.contains(word) ? escaped(word) : "<u>" + escaped(word) + "</u>";
}

std::string plain_caption(const ReportCaption& caption, const std::set<std::string>& known) {
  std::string html;
  for (std::size_t i = 0; i < caption.words.size(); ++i) {
    if (i > 0 && stand_apart(caption.words[i - 1], caption.words[i], caption.rule)) html += ' ';
    html += marked(caption.words[i], known);
  }
  return "<p class=\"caption\">" + (html.empty() ? "<i>(no words)</i>" : html) + "</p>";
}

void check_maps(const std::string& name, const ReportCaption& caption) {
  const AttentionMaps& maps = caption.maps;
  const std::size_t locations = static_cast<std::size_t>(std::max(maps.rows, 0)) * std::max(maps.columns, 0);
  const std::size_t words = caption.words.size();
  check(locations >= 1 && maps.weights.size() == words * locations,
        "report: attention of '{}' has {} weights, expected {} words x {} rows x {} columns", name, maps.weights.size(),
        words, maps.rows, maps.columns);
  check(maps.beta.empty() || maps.beta.size() == words, "report: attention of '{}' has {} values of beta for {} words",
        name, maps.beta.size(), words);
}

// The words as buttons. Each map is in 255ths of its largest weight, and that weight in units of looking everywhere
// alike.
std::string attended_caption(const std::string& name, const ReportCaption& caption,
                             const std::set<std::string>& known) {
  check_maps(name, caption);
  const AttentionMaps& maps = caption.maps;
  const auto locations = static_cast<std::ptrdiff_t>(maps.rows) * maps.columns;
  std::vector<std::uint8_t> bytes;
  std::string peaks, words;
  for (std::size_t t = 0; t < caption.words.size(); ++t) {
    const auto map = maps.weights.begin() + static_cast<std::ptrdiff_t>(t) * locations;
    const float peak = *std::max_element(map, map + locations);
    check(std::isfinite(peak) && peak >= 0, "report: attention of '{}' holds {}", name, peak);
    for (std::ptrdiff_t i = 0; i < locations; ++i)
      bytes.push_back(static_cast<std::uint8_t>(peak > 0 ? std::lround(255 * std::max(map[i], 0.0f) / peak) : 0));
    peaks += fmt::format("{}{:.3f}", t == 0 ? "" : " ", peak * static_cast<float>(locations));
    const std::string beta = maps.beta.empty() ? "" : fmt::format(" <small>{:.2f}</small>", maps.beta[t]);
    words += fmt::format(R"(<button type="button">{}{}</button>)", marked(caption.words[t], known), beta);
  }
  return fmt::format(R"(<div class="attended" data-rows="{}" data-columns="{}" data-peaks="{}" data-maps="{}">)"
                     R"(<div class="words" role="group" aria-label="the caption, word by word">{}</div>)"
                     R"(<div class="player"><button type="button" class="play" aria-label="play">&#9654;</button>)"
                     R"(<input type="range" min="-1" max="{}" value="-1" aria-label="word"></div></div>)",
                     maps.rows, maps.columns, peaks, base64(bytes), words, caption.words.size() - 1);
}

bool has_maps(const ReportCaption& caption) { return !caption.words.empty() && !caption.maps.weights.empty(); }

// What a photograph is called for those who do not see it: its captions, or its name.
std::string photograph_text(const ReportCard& card) {
  std::string text;
  for (const ReportCaption& caption : card.captions) {
    const std::string words = join_words(caption.words, caption.rule);
    if (words.empty()) continue;
    text += (text.empty() ? "" : "; ") + (caption.by.empty() ? "" : caption.by + ": ") + words;
  }
  return text.empty() ? card.name : text;
}

std::string card(const ReportCard& card, const std::string& ranked_by) {
  const bool seen = card.photograph.width > 0;
  const bool attended = seen && std::any_of(card.captions.begin(), card.captions.end(), has_maps);
  const std::set<std::string> known = words_of(card.references);
  std::string html = "<article>";
  if (seen)
    html += fmt::format(R"(<div class="frame"><img src="{}" width="{}" height="{}" alt="{}">{}</div>)",
                        data_uri(card.photograph, photograph_side), card.photograph.width, card.photograph.height,
                        escaped(photograph_text(card)), attended ? "<canvas aria-hidden=\"true\"></canvas>" : "");
  bool first = true;
  for (const ReportCaption& caption : card.captions) {
    html += fmt::format(R"(<p class="about"><span>{}{}</span><span class="score">{} {:.2f}</span></p>)",
                        caption.by.empty() ? "" : "<b>" + escaped(caption.by) + "</b> ",
                        first ? escaped(card.name) : "", escaped(ranked_by), caption.score);
    html += seen && has_maps(caption) ? attended_caption(card.name, caption, known) : plain_caption(caption, known);
    first = false;
  }
  std::string references;
  const WordRule rule = card.captions.empty() ? WordRule::ascii : card.captions.front().rule;
  for (const CaptionWords& reference : card.references)
    references += "<li>" + escaped(join_words(reference, rule)) + "</li>";
  if (!references.empty()) html += "<ul>" + references + "</ul>";
  for (const ReportCaption& caption : card.captions) html += tree(card.name, caption.tree);
  return html + "</article>\n";
}

}  // namespace

std::string cards(const std::vector<ReportCard>& cards, const std::string& ranked_by) {
  std::string html;
  for (const ReportCard& one : cards) html += card(one, ranked_by);
  return html.empty() ? "" : "<div class=\"cards\">" + html + "</div>";
}

std::string reading(const Report& report) {
  bool any = false, maps = false, beta = false, trees = false;
  for (const ReportSheet& sheet : report.sheets)
    for (const ReportCard& card : sheet.cards)
      for (const ReportCaption& caption : card.captions) {
        any = true;
        maps = maps || !caption.maps.weights.empty();
        beta = beta || !caption.maps.beta.empty();
        trees = trees || !caption.tree.nodes.empty();
      }
  if (!any) return "";
  std::string text;
  if (maps)
    text +=
        "Point at a word, tap it or go to it by the arrow keys, to see where the network looked when it wrote it; "
        "again, or Escape, for the photograph. ";
  if (beta) text += fmt::format("The number beside a word is beta, {}. ", escaped(report.beta_is));
  if (trees)
    text +=
        "\u201cHow it was found\u201d has the beginnings that the search kept at each word, likeliest first, with "
        "their log p "
        "(natural), and with the score by which they are ranked where they end. ";
  return text + "Underlined: words that no reference holds.";
}

}  // namespace report_parts

std::vector<std::size_t> random_images(std::size_t images, std::size_t count, std::uint64_t seed) {
  std::vector<std::size_t> drawn(images);
  for (std::size_t i = 0; i < images; ++i) drawn[i] = i;
  Generator generator(seed);
  for (std::size_t i = 0; i < std::min(count, images); ++i) std::swap(drawn[i], drawn[i + generator.below(images - i)]);
  drawn.resize(std::min(count, images));
  return drawn;
}

std::vector<ReportSheet> report_sheets(const Scores& scores, const std::string& ranked_by, std::size_t count,
                                       std::uint64_t seed, const std::function<ReportCard(std::size_t)>& card) {
  const auto first = [&](std::vector<std::size_t> order) {
    std::vector<ReportCard> cards;
    order.resize(std::min(order.size(), count));
    for (const std::size_t i : order) cards.push_back(card(i));
    return cards;
  };
  const std::string by = fmt::format("By the {} of the single caption.", score_named(ranked_by).label);
  return {{"Best captions", by, first(scores.ranked(ranked_by, true))},
          {"Worst captions", by, first(scores.ranked(ranked_by, false))},
          {"Random captions", fmt::format("Drawn from all {} images by seed {}.", scores.images, seed),
           first(random_images(static_cast<std::size_t>(scores.images), count, seed))}};
}

}  // namespace glimpse
