#include "glimpse/data/report.h"

#include <algorithm>
#include <cmath>

#include "glimpse/data/feature_cache.h"
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

std::string section(const std::string& title, const std::string& note, const std::string& content) {
  if (content.empty()) return "";
  return fmt::format("<section><h2>{}</h2>{}{}</section>\n", escaped(title),
                     note.empty() ? "" : "<p class=\"note\">" + escaped(note) + "</p>", content);
}

std::string scores(const Report& report) {
  std::string tiles;
  for (const auto& [label, value] : report.scores)
    tiles += fmt::format("<div><b>{}</b><span>{}</span></div>", escaped(value), escaped(label));
  return tiles.empty() ? "" : "<div class=\"tiles\">" + tiles + "</div>";
}

std::string table(const ReportTable& table) {
  if (table.rows.empty()) return "";
  std::string html = "<div class=\"table\"><table><tr>";
  for (const std::string& heading : table.headings) html += fmt::format("<th scope=\"col\">{}</th>", escaped(heading));
  for (const std::vector<std::string>& row : table.rows) {
    html += "</tr>\n<tr>";
    for (std::size_t i = 0; i < row.size(); ++i)
      html += i == 0 ? "<th scope=\"row\">" + escaped(row[i]) + "</th>" : "<td>" + escaped(row[i]) + "</td>";
  }
  return html + "</tr></table></div>";
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

Image report_photograph(const Image& image) {
  if (image.width < 1 || image.height < 1) return image;
  const double scale = static_cast<double>(report_parts::photograph_side) / std::max(image.width, image.height);
  if (scale >= 1) return image;
  const auto side = [&](int size) { return std::max(1, static_cast<int>(std::lround(size * scale))); };
  return resize(image, side(image.width), side(image.height));
}

std::string report_html(const Report& report) {
  using namespace report_parts;
  std::string charts;
  std::vector<std::string> names;
  for (const ReportChart& one : report.charts) charts += chart(one, names);
  std::string body = fmt::format("<header><h1>{}</h1>{}</header>\n<main>\n", escaped(report.title),
                                 report.summary.empty() ? "" : "<p>" + escaped(report.summary) + "</p>");
  body += section("Scores", report.scores_note, scores(report) + table(report.compared));
  body += section("Training", "", charts.empty() ? "" : "<div class=\"charts\">" + charts + "</div>");
  if (std::string how = reading(report); !how.empty()) body += "<section><p class=\"note\">" + how + "</p></section>\n";
  for (const ReportSheet& sheet : report.sheets)
    body += section(sheet.title, sheet.note, cards(sheet.cards, report.ranked_by));
  body += section("Configuration", "", configuration(report.configuration) + table(report.configurations));
  body += "</main>\n";
  // Only what bears the page's own number runs: a name or word that got through as markup could not know it.
  const std::string nonce = hash_bytes(body.data(), body.size());
  return fmt::format(
      "<!DOCTYPE html>\n<html lang=\"en\"><head><meta charset=\"utf-8\">\n"
      "<meta http-equiv=\"Content-Security-Policy\" content=\"default-src 'none'; img-src data:; "
      "style-src 'nonce-{0}'; script-src 'nonce-{0}'; base-uri 'none'; form-action 'none'\">\n<title>{1}</title>\n"
      "<meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\n"
      "<meta name=\"color-scheme\" content=\"light dark\">\n<style nonce=\"{0}\">{2}</style></head>\n<body>\n"
      "{3}<script nonce=\"{0}\">{4}</script>\n</body></html>\n",
      nonce, escaped(report.title), style, body, script);
}

void write_report(const std::string& path, const Report& report) { write_file_atomically(path, report_html(report)); }

}  // namespace glimpse
