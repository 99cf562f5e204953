// What evaluate and caption can be told beyond a model and its data, run as users run it.

#include <algorithm>
#include <cmath>
#include <nlohmann/json.hpp>

#include "catch.h"
#include "glimpse/data/scenes.h"
#include "program.h"
#include "scratch_folder.h"
#include "small_run.h"

using namespace glimpse;
using Json = nlohmann::json;

TEST_CASE("evaluate and caption with a small model") {
  const ScratchFolder folder;
  const std::string run = folder / "run";
  REQUIRE(run_program(small_training(run, 1)).code == 0);
  SECTION("evaluate with intervals and retrieval") {
    const ProgramResult scored = run_program({"evaluate", "--model", run + "/best.safetensors", "--intervals", "200",
                                              "--retrieval", "6", "--json", folder / "s.json"});
    INFO(scored.err);
    REQUIRE(scored.code == 0);
    REQUIRE_THAT(scored.out, Contains("METEOR") && Contains("top-1") && Contains("perplexity") && Contains("R@1") &&
                                 Contains("novel") && Contains("of the vocabulary") && Contains("bad ending"));
    const Json scores = Json::parse(slurp(folder / "s.json"));
    REQUIRE(scores["intervals"].size() == 7);
    REQUIRE(scores["intervals"]["cider"][0] <= scores["cider_d"]);
    REQUIRE(scores["intervals"]["cider"][1] >= scores["cider_d"]);
    REQUIRE(scores["perplexity"].get<double>() == Approx(std::exp(scores["loss"].get<double>())));
    REQUIRE(scores["top1"] <= scores["top5"]);
    REQUIRE(scores["retrieval"]["images"] == 6);
    REQUIRE(scores["retrieval"]["captions"] == 30);
    REQUIRE(scores["retrieval"]["find_images"]["r10"] == 1);
    REQUIRE(scores.contains("novel"));
    REQUIRE(scores.contains("meteor_note"));
  }
  SECTION("captions are searched for, drawn and chosen in other ways") {
    const std::string model = run + "/best.safetensors";
    export_scenes(SceneDataset(1, {1, 1, 3}), folder / "scenes");
    const std::string image = folder / "scenes/images/test_000000.png";
    const auto json = [&](std::vector<std::string> more) {
      std::vector<std::string> arguments{"caption", "--model", model, "--json"};
      arguments.insert(arguments.end(), more.begin(), more.end());
      arguments.push_back(image);
      const ProgramResult r = run_program(arguments);
      INFO(r.out << r.err);
      REQUIRE(r.code == 0);
      return Json::parse(r.out)[0]["captions"];
    };
    const Json plain = json({});
    REQUIRE(json({"--groups", "1", "--no-repeat", "0", "--coverage-penalty", "0", "--choose", "score"}) == plain);
    REQUIRE(json({"--ensemble", model})[0]["caption"] == plain[0]["caption"]);
    REQUIRE(json({"--beam", "4", "--groups", "2", "--diversity", "9", "--n-best", "2"}).size() == 2);
    REQUIRE(json({"--choose", "cider", "--beam", "5", "--n-best", "2"}).size() == 2);
    const Json drawn = json({"--sample", "--n-best", "9", "--seed", "3"});
    REQUIRE(drawn.size() == 9);
    REQUIRE(json({"--sample", "--n-best", "9", "--seed", "3"}) == drawn);
    REQUIRE(json({"--sample", "--n-best", "9", "--seed", "4"}) != drawn);
    const std::string longer = json({"--min-words", "12", "--max-words", "14", "--no-repeat", "2"})[0]["caption"];
    REQUIRE(std::count(longer.begin(), longer.end(), ' ') >= 11);
    const ProgramResult scored =
        run_program({"evaluate", "--model", model, "--beam", "4", "--groups", "2", "--coverage-penalty", "0.1",
                     "--length-norm", "gnmt", "--ensemble", model, "--json", folder / "s.json"});
    INFO(scored.err);
    REQUIRE(scored.code == 0);
    REQUIRE_THAT(scored.out, Contains("beam 4") && Contains("groups 2") && Contains("length norm gnmt") &&
                                 Contains("ensemble of 2"));
    const Json scores = Json::parse(slurp(folder / "s.json"));
    REQUIRE(scores["groups"] == 2);
    REQUIRE(scores["coverage_penalty"] == 0.1);
    REQUIRE_FALSE(scores.contains("no_repeat"));
  }
  SECTION("a page shows captions over their photographs") {
    const auto page = [&](std::vector<std::string> arguments) {
      arguments.insert(arguments.begin(), "evaluate");
      arguments.insert(arguments.end(), {"--report", folder / "page.html"});
      const ProgramResult r = run_program(arguments);
      INFO(r.out << r.err);
      REQUIRE(r.code == 0);
      REQUIRE_THAT(r.out, Contains("report      " + (folder / "page.html")));
      return slurp(folder / "page.html");
    };
    const std::string model = run + "/best.safetensors";
    const std::string of_model = page({"--model", model, "--out", folder / "o.json"});
    REQUIRE_THAT(of_model, Contains("class=\"attended\"") && Contains("<details>") &&
                               Contains("<h2>Random captions</h2>") && Contains("split test, 10 images, beam 5") &&
                               Contains("CIDEr-D"));
    REQUIRE(page({"--model", model}) == of_model);  // nothing is left to chance
    export_scenes(SceneDataset(1, {40, 10, 10}), folder / "scenes");
    const std::vector<std::string> compared{
        "--compare", folder / "o.json", "--captions", folder / "scenes/dataset_scenes.json", "--split", "test"};
    REQUIRE_THAT(page(compared), !Contains("<img") && Contains("test_000003.png"));
    std::vector<std::string> with_images = compared;
    with_images.insert(with_images.end(), {"--images", folder / "scenes/images"});
    REQUIRE_THAT(page(with_images), Contains("<img") && !Contains("class=\"attended\"") && !Contains("<details>"));
    REQUIRE_THAT(run_program({"evaluate", "--model", model, "--report", "/no/such/folder/page.html"}).err,
                 Contains("/no/such/folder"));
  }
  SECTION("two systems are compared: models, captions, or one of each") {
    export_scenes(SceneDataset(1, {40, 10, 10}), folder / "scenes");
    const std::string model = run + "/best.safetensors", captions = folder / "scenes/dataset_scenes.json";
    REQUIRE(run_program({"evaluate", "--model", model, "--out", folder / "o.json", "--beam", "3"}).code == 0);
    const auto compared = [&](std::vector<std::string> arguments) {
      arguments.insert(arguments.begin(), "evaluate");
      arguments.insert(arguments.end(), {"--split", "test", "--json", folder / "c.json"});
      const ProgramResult r = run_program(arguments);
      INFO(r.out << r.err);
      REQUIRE(r.code == 0);
      REQUIRE_THAT(r.out, Contains("verdict     neither is better by CIDEr-D"));
      const Json json = Json::parse(slurp(folder / "c.json"));
      REQUIRE(json["differences"]["cider"]["difference"] == 0);
      REQUIRE(json["differences"]["cider"]["a_wins"] == 0.5);
      REQUIRE(json["a"]["images"] == 10);
    };
    compared({"--compare", model, "--against", model});
    compared({"--model", model, "--beam", "3", "--against", folder / "o.json"});
    compared({"--compare", folder / "o.json", "--against", model, "--beam", "3"});
    compared({"--compare", folder / "o.json", "--against", folder / "o.json", "--captions", captions});
  }
}
