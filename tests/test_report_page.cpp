// The page of a report in a browser: the map follows the word, by pointer, finger and keyboard; nothing is cut off on a
// phone. Skipped where there is no Chromium.

#include <cmath>
#include <cstdlib>
#include <sstream>

#include "browser.h"
#include "catch.h"
#include "glimpse/data/report.h"
#include "glimpse/engine/io/file.h"
#include "main.h"

using namespace glimpse;
using Json = nlohmann::json;

namespace {

/// The browser's path: GLIMPSE_CHROMIUM, or the first of the usual names in PATH; empty: none.
std::string chromium() {
  if (const char* set = std::getenv("GLIMPSE_CHROMIUM")) return set;
  const char* path = std::getenv("PATH");
  for (const char* name : {"chromium", "chromium-browser", "google-chrome"}) {
    std::istringstream folders(path == nullptr ? "" : path);
    for (std::string folder; std::getline(folders, folder, ':');)
      if (const std::string file = folder + "/" + name;
          std::filesystem::is_regular_file(file) && access(file.c_str(), X_OK) == 0)
        return file;
  }
  return "";
}

std::string why_not() {
  const std::string program = chromium();
  if (program.empty()) return "no Chromium here (Debian: chromium); GLIMPSE_CHROMIUM names another one";
  // Ubuntu's chromium-browser is a script that asks for a snap.
  const std::string command = "'" + program + "' --version >/dev/null 2>&1";
  return std::system(command.c_str()) == 0 ? "" : program + " does not run";
}

[[maybe_unused]] const bool registered = [] {
  test::reason_to_skip = why_not;
  return true;
}();

Image photograph(int width, int height) {
  return {width, height, std::vector<std::uint8_t>(static_cast<std::size_t>(width) * height * 3, 120)};
}

/// Three words, which look at the left upper, the right lower and the right upper quarter.
ReportCard card(const std::string& name, int width, int height) {
  const std::vector<float> maps{1, 0, 0, 0, 0, 0, 0, 1, 0, 1, 0, 0};
  return {name,
          photograph(width, height),
          {{{"a", "brown", "dog"}, 1.5, WordRule::ascii, {2, 2, {}, maps, {0.5f, 0.25f, 0.75f}}}},
          {{"the", "dog"}, {std::string(200, 'w')}}};
}

Report sample() {
  Report report;
  report.title = "run_with_a_long_name_" + std::string(80, 'x');
  report.scores = {{"BLEU-4", "0.213"}, {"CIDEr-D", "0.518"}};
  report.compared = {{"", "A", "B", "A - B", "95 % interval"},
                     {{"BLEU-4", "21.2", "20.9", "+0.3", "-0.2 to +0.8"}, {"CIDEr-D", "0.5", "0.4", "+0.1", "0 to 1"}}};
  report.charts = {{"Loss", "nats", "epoch", {{"training", {{1, 5}, {2, 4}, {3, 3.5}}}}, 2}};
  report.ranked_by = "CIDEr-D";
  report.beta_is = "of the gate";
  report.sheets = {{"Best", "", {card("one.jpg", 40, 20), card("two" + std::string(150, '_') + ".jpg", 20, 40)}}};
  report.configuration = {{"data.captions", "/" + std::string(150, 'p')}};
  return report;
}

class Page {
 public:
  explicit Page(const std::string& html, int width = 1280, const std::string& scheme = "light") : browser_(chromium()) {
    browser_.look(width, 800, scheme);
    browser_.open_page(folder_.file("page.html", html));
  }
  Browser* operator->() { return &browser_; }

  /// Where the sheet over a card's photograph is clearest, in quarters: "left upper"; "" where there is no sheet.
  std::string looked_at(int index) {
    const Json spot = browser_.evaluate(
        "(() => { const c = document.querySelectorAll('canvas')[" + std::to_string(index) +
        "]; const d = c.getContext('2d').getImageData(0, 0, c.width, c.height).data; let at = 0, dark = 0;"
        "for (let p = 0; p < d.length / 4; ++p) { dark = Math.max(dark, d[4 * p + 3]);"
        "if (d[4 * p + 3] < d[4 * at + 3]) at = p; }"
        "return [dark, at % c.width / c.width, Math.floor(at / c.width) / c.height]; })()");
    if (spot[0] == 0) return "";
    return std::string(spot[1] < 0.5 ? "left" : "right") + (spot[2] < 0.5 ? " upper" : " lower");
  }
  std::string focused() { return browser_.evaluate("document.activeElement.textContent"); }

 private:
  ScratchFolder folder_;
  Browser browser_;
};

constexpr int tab = 9, escape = 27, end = 35, left = 37, right = 39;

}  // namespace

TEST_CASE("the map changes with the word under the pointer") {
  Page page(report_html(sample()));
  const std::string words = ".words button";
  CHECK(page.looked_at(0) == "");
  page->point_at(words, 0);
  CHECK(page.looked_at(0) == "left upper");
  page->point_at(words, 1);
  CHECK(page.looked_at(0) == "right lower");
  CHECK(page.looked_at(1) == "");  // the other photograph stays as it is
  page->point_at(words, 5);
  CHECK(page.looked_at(1) == "right upper");
  CHECK(page.looked_at(0) == "");
  SECTION("a click keeps it, another one lets it go") {
    page->click();
    page->point_at("h1");
    CHECK(page.looked_at(1) == "right upper");
    page->point_at(words, 5);
    page->click();
    page->point_at("h1");
    CHECK(page.looked_at(1) == "");
  }
  SECTION("the sheet lies on the photograph") {
    for (const int i : {0, 1}) {
      const Json sides = page->evaluate(
          "(() => { const a = document.querySelectorAll('article')[" + std::to_string(i) +
          "], f = a.querySelector('.frame').getBoundingClientRect(), c = a.querySelector('canvas')"
          ".getBoundingClientRect(); return [c.width / c.height, c.x + c.width / 2 - f.x - f.width / 2,"
          "c.y + c.height / 2 - f.y - f.height / 2, Math.max(c.width / f.width, c.height / f.height)]; })()");
      CHECK(sides[0].get<double>() == Approx(i == 0 ? 2 : 0.5).epsilon(0.01));
      CHECK(std::abs(sides[1].get<double>()) < 1);
      CHECK(std::abs(sides[2].get<double>()) < 1);
      CHECK(sides[3].get<double>() == Approx(1).epsilon(0.01));
    }
  }
}

TEST_CASE("the map follows the keyboard and the slider") {
  Page page(report_html(sample()));
  const auto in_words = [&] { return page->evaluate("!!document.activeElement.closest('.words')") == true; };
  for (int i = 0; i < 9 && !in_words(); ++i) page->press("Tab", tab);
  REQUIRE(page.focused() == "a 0.50");
  CHECK(page.looked_at(0) == "left upper");
  page->press("ArrowRight", right);
  CHECK(page.focused() == "brown 0.25");
  CHECK(page.looked_at(0) == "right lower");
  page->press("End", end);
  CHECK(page.focused() == "dog 0.75");
  CHECK(page.looked_at(0) == "right upper");
  page->press("ArrowRight", right);
  CHECK(page.focused() == "dog 0.75");
  page->press("ArrowLeft", left);
  CHECK(page->evaluate("document.activeElement.getAttribute('aria-pressed')") == "true");
  page->press("Escape", escape);
  CHECK(page.looked_at(0) == "");
  page->press("Tab", tab);  // the caption was one stop; then come play and slider
  page->press("Tab", tab);
  page->press("ArrowRight", right);
  CHECK(page->evaluate("document.activeElement.getAttribute('aria-valuetext')") == "a 0.50");
  CHECK(page.looked_at(0) == "left upper");
}

TEST_CASE("a chart tells its values to the keyboard") {
  Page page(report_html(sample()));
  const auto value = [&] { return page->evaluate("document.querySelector('.chart svg').ariaValueText"); };
  page->press("Tab", tab);
  page->press("ArrowRight", right);
  CHECK(value() == "epoch 1, training 5 nats");
  page->press("ArrowRight", right);
  CHECK(value() == "epoch 2, training 4 nats");
  CHECK(page->evaluate("document.querySelector('.tip').innerText") == "epoch 2\ntraining 4 nats");
  page->press("End", end);
  CHECK(value() == "epoch 3, training 3.5 nats");
  page->press("Escape", escape);
  CHECK(page->evaluate("document.querySelector('.tip')").is_null());
}

TEST_CASE("on a phone everything fits, is read and is tapped") {
  for (const char* scheme : {"light", "dark"}) {
    Page page(report_html(sample()), 360, scheme);
    CHECK(page->evaluate("document.documentElement.scrollWidth") == 360);
    CHECK(page->evaluate("innerWidth") == 360);
    // Every text is at least as high as one of 11 pixels.
    CHECK(page->evaluate("[...document.querySelectorAll('text, small, span, li, button, td, th, p')].filter(e => "
                         "e.textContent && parseFloat(getComputedStyle(e).fontSize) * (e.ownerSVGElement ? "
                         "e.ownerSVGElement.getBoundingClientRect().width / 520 : 1) < 11).length") == 0);
    CHECK(page->evaluate("[...document.querySelectorAll('.table td')].every(e => e.clientHeight < 60)") == true);
    page->tap(".words button", 1);
    CHECK(page.looked_at(0) == "right lower");
    page->tap(".words button", 2);
    CHECK(page.looked_at(0) == "right upper");
    const int paper = page->evaluate("parseInt(getComputedStyle(document.body).backgroundColor.slice(4))");
    CHECK((paper < 128) == (scheme == std::string("dark")));
  }
}

TEST_CASE("a page loads nothing, and markup in it runs nothing") {
  std::string html = report_html(sample());
  html.insert(html.find("<main>"),
              "<script>document.title = 'ran'</script><img src=\"data:,\" onerror=\"document.title = 'ran'\">");
  Page page(html);
  CHECK(page->evaluate("document.title") != "ran");
  CHECK(page->evaluate("performance.getEntriesByType('resource').filter(e => !e.name.startsWith('data:')).length") ==
        0);
  page->point_at(".words button", 1);
  CHECK(page.looked_at(0) == "right lower");
}
