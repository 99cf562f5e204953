// Every kind of decoder in the programs, as users run them.

#include <nlohmann/json.hpp>

#include "catch.h"
#include "program.h"
#include "scratch_folder.h"
#include "small_run.h"

using namespace glimpse;
using Json = nlohmann::json;

TEST_CASE("the other decoders are trained, scored and shown like soft attention") {
  for (const std::string kind : {"hard", "sentinel", "none"}) {
    CAPTURE(kind);
    const ScratchFolder folder;
    std::vector<std::string> training = small_training(folder / "run", 1);
    training.push_back("decoder.attention=" + kind);
    const ProgramResult trained = run_program(training);
    INFO(trained.out << trained.err);
    REQUIRE(trained.code == 0);
    const std::string model = folder / "run/best.safetensors";
    const ProgramResult scored = run_program({"evaluate", "--model", model, "--json", folder / "s.json"});
    INFO(scored.out << scored.err);
    REQUIRE(scored.code == 0);
    const Json scores = Json::parse(slurp(folder / "s.json"));
    CHECK(scores.contains("bleu"));
    CHECK(scores.contains("argmax") == (kind == "hard"));
    if (kind == "hard") {
      CHECK(scores["argmax"]["bleu"].size() == 4);
      CHECK_THAT(scored.out, Contains("argmax      BLEU-4"));
      const std::string log = slurp(folder / "run/log.jsonl");
      CHECK(log.find("\"baseline\":-") != std::string::npos);
    }
    const std::string report = slurp(folder / "run/report.html");
    CHECK((report.find("</small></button>") != std::string::npos) == (kind != "none"));
    const ProgramResult shown =
        run_program({"evaluate", "--model", model, "--attention", folder / "maps", "--pictures", "1"});
    CHECK(shown.code == (kind == "none" ? 1 : 0));
    if (kind == "none") CHECK_THAT(shown.err, Contains("has no attention"));
  }
}
