// report.html: that it is whole, loads nothing, and says what it was given.

#include <cmath>
#include <filesystem>

#include "catch.h"
#include "glimpse/data/data_uri.h"
#include "glimpse/data/internal/report_parts.h"
#include "glimpse/data/report.h"
#include "glimpse/engine/io/file.h"
#include "glimpse/kernels/base/error.h"

using namespace glimpse;

namespace {

Image plain(int width, int height) {
  return {width, height, std::vector<std::uint8_t>(static_cast<std::size_t>(width) * height * 3, 77)};
}

std::size_t count(const std::string& text, const std::string& part) {
  std::size_t found = 0;
  for (std::size_t at = text.find(part); at != std::string::npos; at = text.find(part, at + 1)) ++found;
  return found;
}

Report sample() {
  Report report;
  report.title = "run <1> & \"2\"";
  report.summary = "a summary";
  report.scores = {{"BLEU-4", "0.213"}};
  report.scores_note = "refs=karpathy-tokens";
  report.charts = {{"Loss", "nats", "epoch", {{"training", {{1, 5}, {2, 4}, {3, NAN}}}, {"validation", {{1, 4.5}}}}, 2},
                   {"Top-5", "%", "epoch", {{"validation", {{1, 50}, {2, 60}}}}},
                   {"empty", "", "epoch", {{"training", {}}}}};
  report.attention = {
      {"one.jpg", plain(20, 10), {2, 2, {"a", "<unk>"}, {1, 0, 0, 0, 0.1f, 0.2f, 0.3f, 0.4f}, {0.25f, 1}}}};
  report.best = {{"two.jpg", plain(600, 300), {"a", "<b>red</b>", "dog"}, {{"a", "dog"}, {"the", "dog's"}}, 3.25}};
  report.worst = {{"three.jpg", plain(3, 2), {}, {{"a", "cat"}}, 0}};
  report.configuration = {{"seed", "1"}, {"path", "a&b"}};
  return report;
}

}  // namespace

TEST_CASE("a report is one page that loads nothing", "[report]") {
  const std::string html = report_html(sample());
  CHECK(html.rfind("<!DOCTYPE html>", 0) == 0);
  CHECK(html.substr(html.size() - 8) == "</html>\n");
  CHECK(count(html, "http://") == 1);  // the name space of SVG in the script
  CHECK(count(html, "https://") == 0);
  CHECK(count(html, "<link") == 0);
  CHECK(count(html, " src=\"") == 3);
  CHECK(count(html, " src=\"data:image/jpeg;base64,") == 3);
  CHECK(count(html, "url(") == 0);
  for (const char* tag :
       {"section", "div", "article", "figure", "svg", "table", "tr", "ul", "li", "button", "script"}) {
    INFO(tag);
    CHECK(count(html, std::string("<") + tag + " ") + count(html, std::string("<") + tag + ">") ==
          count(html, std::string("</") + tag + ">"));
  }
}

TEST_CASE("a report shows what it was given, escaped", "[report]") {
  const std::string html = report_html(sample());
  CHECK(count(html, "run &lt;1&gt; &amp; &quot;2&quot;") == 2);
  CHECK(count(html, "run <1>") == 0);
  CHECK(count(html, "<figure") == 2);                  // the chart without points is left out
  CHECK(count(html, "class=\"mark\"") == 1);           // only where an epoch was marked
  CHECK(count(html, "<path class=\"line c1\"") == 2);  // validation has one colour on the page
  CHECK(count(html, "<path class=\"line c0\"") == 1);
  CHECK(count(html, "nan") == 0);
  CHECK(html.find("<u>&lt;b&gt;red&lt;/b&gt;</u> dog") != std::string::npos);  // no reference holds that word
  CHECK(html.find("the dog&#39;s") != std::string::npos);
  CHECK(html.find("<span class=\"score\">3.25</span>") != std::string::npos);
  CHECK(html.find("(no words)") != std::string::npos);
  CHECK(html.find("data-peaks=\"4.000 1.600\" data-maps=\"/wAAAECAv/8=\"") != std::string::npos);
  CHECK(html.find("data-start=\"0\"") != std::string::npos);
  CHECK(html.find("<button type=\"button\">&lt;unk&gt; <small title=\"beta\">1.00</small></button>") !=
        std::string::npos);
  CHECK(html.find("<th>path</th><td>a&amp;b</td>") != std::string::npos);
}

TEST_CASE("a report may be empty, or hold broken text", "[report]") {
  const std::string html = report_html(Report{});
  CHECK(count(html, "<section>") == 0);
  Report report;
  report.charts = {{"\xff", "", "", {{"\xff", {{1, 1}, {2, INFINITY}}}}}};
  CHECK(count(report_html(report), "<figure") == 1);
  report.attention = {{"x", plain(2, 2), {2, 2, {}, {}}}};  // a caption without words has no maps
  CHECK(count(report_html(report), "<article") == 0);
  report.attention = {{"x", plain(2, 2), {2, 2, {"a"}, {1, 2, 3}}}};
  CHECK_THROWS_AS(report_html(report), Error);
  report.attention = {{"x", plain(2, 2), {1, 1, {"a"}, {1}, {1, 2}}}};
  CHECK_THROWS_WITH(report_html(report), Contains("2 values of beta for 1 words"));
}

TEST_CASE("a report is written in one piece", "[report]") {
  const std::string path = (std::filesystem::temp_directory_path() / "glimpse-report.html").string();
  write_report(path, sample());
  CHECK(read_text_file(path) == report_html(sample()));
  std::filesystem::remove(path);
  CHECK_THROWS_AS(write_report("/no/such/folder/report.html", sample()), Error);
}

TEST_CASE("axes have round marks", "[report]") {
  using report_parts::axis_number;
  using report_parts::axis_step;
  CHECK(axis_step(10, 8) == Approx(2));
  CHECK(axis_step(9, 10) == Approx(1));
  CHECK(axis_step(0.21, 5) == Approx(0.05));
  CHECK(axis_step(30000, 8) == Approx(5000));
  CHECK(axis_number(0.15, 0.05) == "0.15");
  CHECK(axis_number(2, 0.5) == "2.0");
  CHECK(axis_number(-0.0, 0.5) == "0");
  CHECK(axis_number(5000, 5000) == "5000");
}

TEST_CASE("base64", "[report]") {
  const auto of = [](const std::string& text) {
    return base64(std::span(reinterpret_cast<const std::uint8_t*>(text.data()), text.size()));
  };
  CHECK(of("") == "");  // the examples of RFC 4648, section 10
  CHECK(of("f") == "Zg==");
  CHECK(of("fo") == "Zm8=");
  CHECK(of("foo") == "Zm9v");
  CHECK(of("foob") == "Zm9vYg==");
  CHECK(of("foobar") == "Zm9vYmFy");
  CHECK(of("\xff\xef\xbe") == "/+++");
  CHECK_THROWS_AS(data_uri(Image{}, 100), Error);
}

TEST_CASE("scores become rows", "[report]") {
  Scores scores = score_captions({{"a", "dog"}, {"a", "cat"}}, {{{"a", "dog"}}, {{"the", "cat"}}});
  scores.all[1].value = 0.25;
  const std::vector<ReportRow> rows = score_rows(scores);
  REQUIRE(rows.size() == score_names().size());
  CHECK(rows[1] == ReportRow{"BLEU-2", "0.250"});
}
