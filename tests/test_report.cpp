// report.html: that it is whole, loads nothing, and says what it was given.

#include <algorithm>
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
  report.ranked_by = "CIDEr-D";
  report.beta_is = "<beta>";
  const AttentionMaps maps{2, 2, {}, {1, 0, 0, 0, 0.1f, 0.2f, 0.3f, 0.4f}, {0.25f, 1}};
  const std::vector<CaptionWords> references{{"a", "dog"}, {"the", "dog's"}};
  report.sheets = {
      {"Best <captions>",
       "a note",
       {{"one.jpg", plain(20, 10), {{{"a", "<unk>"}, 1, WordRule::ascii, maps}}, references},
        {"two.jpg", plain(600, 300), {{{"a", "<b>red</b>", "dog"}, 3.25}}, references}}},
      {"Worst", "", {{"three.jpg", plain(3, 2), {{{}, 0}}, {{"a", "cat"}}}, {"4.jpg", {}, {{{"a"}, 0}}, {}}}}};
  report.configuration = {{"seed", "1"}, {"path", "a&b"}};
  return report;
}

}  // namespace

TEST_CASE("a report is one page that loads nothing", "[report]") {
  const std::string html = report_html(sample());
  CHECK(html.rfind("<!DOCTYPE html>", 0) == 0);
  CHECK(html.substr(html.size() - 8) == "</html>\n");
  CHECK(count(html, "http://") == 1);  // the name space of SVG in the script
  CHECK(count(html, "Content-Security-Policy\" content=\"default-src 'none'; img-src data:; style-src 'nonce-") == 1);
  CHECK(count(html, " style=\"") + count(html, " onclick") + count(html, "javascript:") == 0);
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
  // What bench/run_page.py looks for.
  CHECK(count(html, "<figcaption><b>Loss</b>") == 1);
  CHECK(count(html, "<svg viewBox=\"0 0 520 264\" ") == 2);
  CHECK(count(html, "<i class=\"c0\"></i>training</span>") == 1);
  CHECK(html.find("<u>&lt;b&gt;red&lt;/b&gt;</u> dog") != std::string::npos);  // no reference holds that word
  CHECK(html.find("the dog&#39;s") != std::string::npos);
  CHECK(html.find("alt=\"a &lt;b&gt;red&lt;/b&gt; dog\"") != std::string::npos);  // a photograph's text is its caption
  CHECK(html.find("alt=\"three.jpg\"") != std::string::npos);                     // or its name where it has none
  CHECK(html.find("<span>two.jpg</span><span class=\"score\">CIDEr-D 3.25</span>") != std::string::npos);
  CHECK(html.find("<h2>Best &lt;captions&gt;</h2><p class=\"note\">a note</p>") != std::string::npos);
  CHECK(html.find("beta, &lt;beta&gt;.") != std::string::npos);
  CHECK(html.find("(no words)") != std::string::npos);
  CHECK(html.find("data-peaks=\"4.000 1.600\" data-maps=\"/wAAAECAv/8=\"") != std::string::npos);
  CHECK(html.find("<button type=\"button\"><u>&lt;unk&gt;</u> <small>1.00</small></button>") != std::string::npos);
  CHECK(html.find("<th>path</th><td>a&amp;b</td>") != std::string::npos);
}

TEST_CASE("a report may be empty, or hold broken text", "[report]") {
  const std::string html = report_html(Report{});
  CHECK(count(html, "<section>") == 0);
  Report report;
  report.charts = {{"\xff", "", "", {{"\xff", {{1, 1}, {2, INFINITY}}}}}};
  CHECK(count(report_html(report), "<figure") == 1);
  const auto with = [](CaptionWords words, AttentionMaps maps) {
    Report one;
    one.sheets = {{"t", "", {{"x", plain(2, 2), {{std::move(words), 0, WordRule::ascii, std::move(maps)}}, {}}}}};
    return report_html(one);
  };
  CHECK(count(with({}, {2, 2, {}, {}}), "<canvas") == 0);  // a caption without words has no maps
  CHECK(count(with({"a"}, {1, 2, {}, {0.5f, 0.5f}}), "<canvas") == 1);
  CHECK_THROWS_AS(with({"a"}, {2, 2, {}, {1, 2, 3}}), Error);
  CHECK_THROWS_AS(with({"a"}, {1, 2, {}, {NAN, NAN}}), Error);
  CHECK_THROWS_WITH(with({"a"}, {1, 1, {}, {1}, {1, 2}}), Contains("2 values of beta for 1 words"));
}

TEST_CASE("a page's policy lets only its own script run", "[report]") {
  const auto nonce = [](const Report& report) {
    const std::string html = report_html(report), mark = "<script nonce=\"";
    return html.substr(html.find(mark) + mark.size(), 16);
  };
  Report report = sample();
  const std::string before = nonce(report);
  CHECK(nonce(report) == before);
  report.summary += "!";
  CHECK(nonce(report) != before);
}

TEST_CASE("sheets hold the best, the worst and random captions", "[report]") {
  Scores scores = score_captions({{"a", "dog"}, {"a", "cat"}, {"sea"}, {"x"}},
                                 {{{"a", "dog"}}, {{"a", "blue", "cat"}}, {{"sky"}}, {{"y"}}});
  const auto sheets = [&](std::size_t count, std::uint64_t seed) {
    return report_sheets(scores, "cider", count, seed, [](std::size_t i) {
      return ReportCard{std::to_string(i), {}, {}, {}};
    });
  };
  const std::vector<ReportSheet> two = sheets(2, 1);
  REQUIRE(two.size() == 3);
  const auto names = [](const ReportSheet& sheet) {
    std::string all;
    for (const ReportCard& card : sheet.cards) all += card.name;
    return all;
  };
  CHECK(names(two[0]) == "01");
  CHECK(names(two[1]) == "23");
  CHECK(two[2].cards.size() == 2);
  CHECK(names(two[2]) == names(sheets(2, 1)[2]));
  std::string all = names(sheets(9, 7)[2]);
  bool differs = false;
  for (std::uint64_t seed = 1; seed < 9; ++seed) differs = differs || names(sheets(9, seed)[2]) != all;
  CHECK(differs);
  std::sort(all.begin(), all.end());
  CHECK(all == "0123");  // each once
}

TEST_CASE("a report is written in one piece", "[report]") {
  const std::string path = (std::filesystem::temp_directory_path() / "glimpse-report.html").string();
  write_report(path, sample());
  CHECK(read_text_file(path) == report_html(sample()));
  std::filesystem::remove(path);
  CHECK_THROWS_AS(write_report("/no/such/folder/report.html", sample()), Error);
}

TEST_CASE("a beam tree stands behind a fold, its path marked", "[report]") {
  Report report;
  SearchTree tree{{{-1, "", 0, 0, false},
                   {0, "a", -0.5, -0.5, false},
                   {0, "<i>", -0.75, -0.75, false},
                   {1, "dog", -1.25, -0.625, false},
                   {1, "", -1.5, -0.75, true},
                   {3, "", -1.5, -0.5, true}},
                  5};
  const auto html = [&] {
    report.sheets = {{"t", "", {{"x", {}, {{{"a", "dog"}, 0, WordRule::ascii, {}, tree}}, {}}}}};
    return report_html(report);
  };
  CHECK(count(html(), "<details>") == 1);
  CHECK(count(html(), "<path class=\"branch") == 3);
  CHECK(count(html(), "<path class=\"branch chosen\"") == 2);
  CHECK(count(html(), "class=\"kept chosen\"") == 2);
  CHECK(count(html(), "class=\"ended chosen\"") == 1);
  CHECK(count(html(), ">&lt;i&gt;<tspan") == 1);
  CHECK(count(html(), ">score \u22120.50</tspan>") == 1);
  CHECK(count(html(), ">\u22121.25</tspan>") == 1);
  tree.leaf = 6;
  CHECK_THROWS_WITH(html(), Contains("6 nodes and ends at 6"));
  tree = {{{-1, "", 0, 0, false}, {1, "a", 0, 0, false}}, 0};
  CHECK_THROWS_AS(html(), Error);
  tree = {};
  CHECK(count(html(), "<details>") == 0);
}

TEST_CASE("two captions of an image stand on one card, and two runs in one table", "[report]") {
  Report report;
  report.ranked_by = "CIDEr-D";
  report.compared = {{"score", "A", "<B>"}, {{"BLEU-4", "0.2", "0.3"}}};
  ReportCaption a{{"a", "dog"}, 1}, b{{"a", "cat"}, 0.5};
  a.by = "A";
  b.by = "<B>";
  report.sheets = {{"t", "", {{"x.jpg", plain(4, 4), {a, b}, {{"a", "dog"}}}}}};
  const std::string html = report_html(report);
  CHECK(count(html, "<img ") == 1);
  CHECK(count(html, "alt=\"A: a dog; &lt;B&gt;: a cat\"") == 1);
  CHECK(count(html, "<span><b>A</b> x.jpg</span><span class=\"score\">CIDEr-D 1.00</span>") == 1);
  CHECK(count(html, "<span><b>&lt;B&gt;</b> </span><span class=\"score\">CIDEr-D 0.50</span>") == 1);
  CHECK(count(html, "<th scope=\"col\">&lt;B&gt;</th>") == 1);
  CHECK(count(html, "<th scope=\"row\">BLEU-4</th><td>0.2</td><td>0.3</td>") == 1);
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
