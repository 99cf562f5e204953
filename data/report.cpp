#include "glimpse/data/report.h"

#include <algorithm>
#include <cmath>
#include <set>

#include "glimpse/data/data_uri.h"
#include "glimpse/data/internal/report_parts.h"
#include "glimpse/engine/io/file.h"
#include "glimpse/kernels/base/check.h"

namespace glimpse {
namespace report_parts {

std::string escaped(std::string_view text) {
  std::string html;
  for (const char c : text) {
    switch (c) {
      case '&':
        html += "&amp;";
        break;
      case '<':
        html += "&lt;";
        break;
      case '>':
        html += "&gt;";
        break;
      case '"':
        html += "&quot;";
        break;
      case '\'':
        html += "&#39;";
        break;
      default:
        html += c;
    }
  }
  return html;
}

namespace {

constexpr int longest_side = 480;

std::string picture(const Image& image, const std::string& name) {
  return fmt::format(R"(<img src="{}" width="{}" height="{}" alt="{}">)", data_uri(image, longest_side), image.width,
                     image.height, escaped(name));
}

std::string section(const std::string& title, const std::string& note, const std::string& content) {
  if (content.empty()) return "";
  return fmt::format("<section><h2>{}</h2>{}{}</section>\n", title,
                     note.empty() ? "" : "<p class=\"note\">" + note + "</p>", content);
}

std::string scores(const Report& report) {
  std::string tiles;
  for (const auto& [label, value] : report.scores)
    tiles += fmt::format("<div><b>{}</b><span>{}</span></div>", escaped(value), escaped(label));
  return tiles.empty() ? "" : "<div class=\"tiles\">" + tiles + "</div>";
}

// The caption with the words that nobody wrote about this picture marked.
std::string marked_caption(const ReportCaption& caption) {
  std::set<std::string> known;
  for (const CaptionWords& reference : caption.references) known.insert(reference.begin(), reference.end());
  std::string html;
  for (std::size_t i = 0; i < caption.caption.size(); ++i) {
    const std::string& word = caption.caption[i];
    if (i > 0 && stand_apart(caption.caption[i - 1], word, caption.rule)) html += ' ';
    html += known.contains(word) ? escaped(word) : "<u>" + escaped(word) + "</u>";
  }
  return html.empty() ? "<i>(no words)</i>" : html;
}

std::string cards(const std::vector<ReportCaption>& captions) {
  std::string html;
  for (const ReportCaption& caption : captions) {
    std::string references;
    for (const CaptionWords& reference : caption.references)
      references += "<li>" + escaped(join_words(reference, caption.rule)) + "</li>";
    html += fmt::format(
        R"(<article><div class="frame">{}</div><p class="caption"><span class="score">{:.2f}</span>{}</p><ul>{}</ul></article>)"
        "\n",
        picture(caption.photograph, caption.name), caption.score, marked_caption(caption), references);
  }
  return html.empty() ? "" : "<div class=\"cards\">" + html + "</div>";
}

// Each map in 255ths of its largest weight, and that weight in units of looking everywhere alike.
std::string attention(const ReportAttention& example) {
  const AttentionMaps& maps = example.maps;
  const std::size_t locations = static_cast<std::size_t>(std::max(maps.rows, 0)) * std::max(maps.columns, 0);
  check(locations >= 1 && maps.weights.size() == maps.words.size() * locations,
        "report: attention of '{}' has {} weights, expected {} words x {} rows x {} columns", example.name,
        maps.weights.size(), maps.words.size(), maps.rows, maps.columns);
  check(maps.beta.empty() || maps.beta.size() == maps.words.size(),
        "report: attention of '{}' has {} values of beta for {} words", example.name, maps.beta.size(),
        maps.words.size());
  if (maps.words.empty()) return "";
  std::vector<std::uint8_t> bytes;
  std::string peaks, words;
  std::size_t sharpest = 0;
  float highest = -1;
  for (std::size_t t = 0; t < maps.words.size(); ++t) {
    const auto map = maps.weights.begin() + static_cast<std::ptrdiff_t>(t * locations);
    const float peak = *std::max_element(map, map + static_cast<std::ptrdiff_t>(locations));
    check(std::isfinite(peak) && peak >= 0, "report: attention of '{}' holds {}", example.name, peak);
    for (std::size_t i = 0; i < locations; ++i)
      bytes.push_back(static_cast<std::uint8_t>(peak > 0 ? std::lround(255 * std::max(map[i], 0.0f) / peak) : 0));
    if (peak > highest) {
      highest = peak;
      sharpest = t;
    }
    peaks += fmt::format("{}{:.3f}", t == 0 ? "" : " ", peak * static_cast<float>(locations));
    const std::string beta =
        maps.beta.empty() ? "" : fmt::format(" <small title=\"beta\">{:.2f}</small>", maps.beta[t]);
    words += fmt::format(R"(<button type="button">{}{}</button>)", escaped(maps.words[t]), beta);
  }
  return fmt::format(
      R"(<article class="attention" data-rows="{}" data-columns="{}" data-peaks="{}" data-maps="{}" data-start="{}">)"
      R"(<div class="frame">{}<canvas></canvas></div><div class="words">{}</div>)"
      R"(<div class="player"><button type="button" class="play" aria-label="play">&#9654;</button>)"
      R"(<input type="range" min="0" max="{}" value="{}" aria-label="word"></div></article>)"
      "\n",
      maps.rows, maps.columns, peaks, base64(bytes), sharpest, picture(example.photograph, example.name), words,
      maps.words.size() - 1, sharpest);
}

std::string configuration(const std::vector<ReportRow>& rows) {
  std::string html;
  for (const auto& [name, value] : rows)
    html += fmt::format("<tr><th>{}</th><td>{}</td></tr>\n", escaped(name), escaped(value));
  return html.empty() ? "" : "<div class=\"rows\"><table>" + html + "</table></div>";
}

}  // namespace
}  // namespace report_parts

std::vector<ReportRow> score_rows(const Scores& scores) {
  std::vector<ReportRow> rows;
  for (const Score& score : scores.all) rows.emplace_back(score.label, fmt::format("{:.3f}", score.value));
  return rows;
}

std::string report_html(const Report& report) {
  using namespace report_parts;
  std::string charts;
  std::vector<std::string> names;
  for (const ReportChart& one : report.charts) charts += chart(one, names);
  std::string attended;
  for (const ReportAttention& one : report.attention) attended += attention(one);
  std::string html = fmt::format(
      "<!DOCTYPE html>\n<html lang=\"en\"><head><meta charset=\"utf-8\">\n<title>{0}</title>\n"
      "<meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\n"
      "<meta name=\"color-scheme\" content=\"light dark\">\n<style>{1}</style></head>\n<body>\n"
      "<header><h1>{0}</h1>{2}</header>\n<main>\n",
      escaped(report.title), style, report.summary.empty() ? "" : "<p>" + escaped(report.summary) + "</p>");
  html += section("Scores", escaped(report.scores_note), scores(report));
  html += section("Training", "", charts.empty() ? "" : "<div class=\"charts\">" + charts + "</div>");
  html += section("Where it looks",
                  "Point at a word, or move the slider, to see where the network looked when it wrote it.",
                  attended.empty() ? "" : "<div class=\"cards wide\">" + attended + "</div>");
  const std::string note = fmt::format("By the {} of the single caption. Underlined: words that no reference holds.",
                                       escaped(report.ranked_by));
  html += section("Best captions", note, cards(report.best));
  html += section("Worst captions", note, cards(report.worst));
  html += section("Configuration", "", configuration(report.configuration));
  html += fmt::format("</main>\n<script>{}</script>\n</body></html>\n", script);
  return html;
}

void write_report(const std::string& path, const Report& report) { write_file_atomically(path, report_html(report)); }

}  // namespace glimpse
