// report A B: two runs on one page.

#include <nlohmann/json.hpp>

#include "catch.h"
#include "error_of.h"
#include "glimpse/models/training/run_captions.h"
#include "glimpse/models/training/run_comparison.h"
#include "program.h"
#include "scratch_folder.h"
#include "small_run.h"

using namespace glimpse;
using glimpse::test::error_of;
using Json = nlohmann::json;

namespace {

std::size_t count(const std::string& text, const std::string& part) {
  std::size_t found = 0;
  for (std::size_t at = text.find(part); at != std::string::npos; at = text.find(part, at + 1)) ++found;
  return found;
}

/// A folder that a run might have left: two epochs, and captions of images.
RunFiles fake_run(const ScratchFolder& folder, const std::string& name, const std::string& config,
                  const std::string& captions) {
  std::filesystem::create_directories(folder / name);
  folder.file(name + "/config.json", config);
  folder.file(name + "/log.jsonl",
              "{\"step\": 1, \"loss\": 9}\n"
              "{\"epoch\": 1, \"train_loss\": 4, \"val_loss\": 5, \"val_bleu\": [0.4, 0.3, 0.2, 0.1]}\nbroken\n"
              "{\"epoch\": 2, \"train_loss\": 3, \"val_loss\": 4, \"val_bleu\": [0.5, 0.4, 0.3, 0.2]}\n{\"epoch\": 3");
  folder.file(name + "/captions.json", captions);
  return RunFiles(folder / name);
}

std::string caption(const std::string& filename, const std::string& words,
                    const std::string& references = R"([["a", "dog", "runs", "fast"], ["the", "dog", "runs"]])") {
  return R"({"filename": ")" + filename + R"(", "caption": "", "words": )" + words + R"(, "references": )" +
         references + "}";
}

Image no_photograph(const CaptionedImage&) { return {}; }

const std::string good = R"(["a", "dog", "runs", "fast"])", bad = R"(["sea"])";
const std::string other = R"([["a", "cat", "sits", "there"]])";

}  // namespace

TEST_CASE("two runs are compared on the images that both have") {
  const ScratchFolder folder;
  const RunFiles a = fake_run(folder, "a", R"({"training": {"seed": 7}})",
                              "[" + caption("1.jpg", good) + "," + caption("2.jpg", bad, other) + "]");
  SECTION("the same data") {
    const RunFiles b = fake_run(folder, "b", "{}",
                                "[" + caption("2.jpg", bad, other) + "," + caption("1.jpg", bad) + "]");  // any order
    const Report report = compare_runs(a, b, no_photograph);
    CHECK(report.scores_note.find("in both") == std::string::npos);
    REQUIRE(report.compared.headings.size() == 5);
    const std::vector<std::string>& bleu1 = report.compared.rows[0];
    CHECK(bleu1[0] == "BLEU-1");
    CHECK(bleu1[2] == "0.0");
    CHECK(bleu1[3][0] == '+');
    CHECK(report.charts[0].title == "Loss");
    CHECK(report.charts[0].curves.size() == 4);
    CHECK(report.charts[0].curves[3].name == "B, validation");
    CHECK(report.charts[0].curves[3].points.size() == 2);  // broken lines are left out
    REQUIRE(report.sheets[0].cards.size() == 1);           // only where A is above B
    CHECK(report.sheets[0].cards[0].name == "1.jpg");
    CHECK(report.sheets[0].cards[0].captions[1].words == CaptionWords{"sea"});
    CHECK(report.sheets[0].cards[0].captions[1].by == "B");
    CHECK(report.sheets[1].cards.empty());
    CHECK(report.sheets[2].cards.size() == 2);
    REQUIRE(report.configurations.rows.size() == 1);
    CHECK(report.configurations.rows[0][0].find("seed") != std::string::npos);
    CHECK(report.configurations.rows[0][1] == "7");
  }
  SECTION("other images, other references") {
    const RunFiles b =
        fake_run(folder, "b", "{}", "[" + caption("1.jpg", bad, other) + "," + caption("3.jpg", good) + "]");
    const Report report = compare_runs(a, b, no_photograph);
    CHECK_THAT(report.scores_note,
               Contains("A was validated on 2 images, B on 2: scores are of the 1 that are in both") &&
                   Contains("The references of 1 of 1 images differ"));
    CHECK(report.sheets[2].cards.size() == 1);
  }
  SECTION("nothing in common") {
    const RunFiles b = fake_run(folder, "b", "{}", "[" + caption("3.jpg", good) + "]");
    const Report report = compare_runs(a, b, no_photograph);
    CHECK_THAT(report.scores_note, Contains("No image is in both"));
    CHECK(report.compared.headings.size() == 3);
    CHECK(report.sheets.empty());
  }
  SECTION("no captions, and captions that are none") {
    for (const std::string text : {"{}", "[]", "[1]", R"([{"filename": "1.jpg"}])",
                                   R"([{"filename": "1.jpg", "words": "a dog", "references": []}])",
                                   R"([{"filename": "1.jpg", "words": ["a"], "references": []}])",
                                   R"([{"filename": "1.jpg", "words": ["a"], "rule": "x", "references": [["a"]]}])"}) {
      INFO(text);
      const RunFiles b = fake_run(folder, "b", "{}", text);
      CHECK_THAT(error_of([&] { compare_runs(a, b, no_photograph); }), Contains("b/captions.json"));
    }
    const RunFiles b = fake_run(folder, "b", "{}", "[]");
    std::filesystem::remove(b.captions());
    CHECK_THAT(error_of([&] { compare_runs(a, b, no_photograph); }), Contains("there is no captions.json"));
  }
}

TEST_CASE("words of a run become text by its rule, whatever its configuration leaves open") {
  const ScratchFolder folder;
  const RunFiles a = fake_run(folder, "a", R"({"data": {"words": "auto"}})", "");
  const CaptionedImage image{"1.jpg", "", "val", {{"\u72d7", "\u8dd1"}}};
  write_run_captions(a.captions(), {&image}, {{"\u72d7", "\u8dd1"}}, WordRule::unicode);
  const Report report = compare_runs(a, a, no_photograph);
  CHECK(count(report_html(report), "<li>\u72d7\u8dd1</li>") == 1);  // Chinese has no blanks
}

TEST_CASE("report shows two runs of train_flickr on a page") {
  const ScratchFolder folder;
  REQUIRE(run_program(small_training(folder / "a", 1)).code == 0);
  std::vector<std::string> longer = small_training(folder / "b", 2);
  longer.push_back("data.min_count=3");
  REQUIRE(run_program(longer).code == 0);
  const ProgramResult r = run_program({"report", folder / "a", folder / "b", "--out", folder / "ab.html"});
  INFO(r.out << r.err);
  REQUIRE(r.code == 0);
  const std::string page = slurp(folder / "ab.html");
  CHECK(count(page, "A, validation") > 0);
  CHECK(count(page, "<img ") >= 10);
  CHECK(count(page, "<th scope=\"row\">training.epochs</th><td>1</td><td>2</td>") == 1);
  CHECK(Json::parse(slurp(folder / "a/captions.json")).size() == 10);
  const ProgramResult scored = run_program({"evaluate", "--model", folder / "a/best.safetensors", "--split", "val",
                                            "--beam", "3", "--against", folder / "a/captions.json"});
  CHECK_THAT(scored.out, Contains("neither is better"));
  CHECK_THAT(run_program({"report", folder / "a", folder / "none"}).err, Contains("holds no run"));
  CHECK_THAT(run_program({"report", folder / "a", folder / "b", "--out", "/no/such/x.html"}).err, Contains("/no/such"));
}
