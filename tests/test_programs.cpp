// The programs, run as users run them: train, evaluate, caption, on a data set of a few scenes.

#include <filesystem>
#include <nlohmann/json.hpp>
#include <thread>

#include "catch.h"
#include "glimpse/data/scenes.h"
#include "glimpse/engine/io/safetensors.h"
#include "glimpse/engine/version.h"
#include "glimpse/models/encoder/encoder.h"
#include "program.h"
#include "scratch_folder.h"
#include "small_photographs.h"
#include "small_run.h"

using namespace glimpse;
using Json = nlohmann::json;
namespace fs = std::filesystem;

TEST_CASE("every program says in one line which Glimpse it is and what was built in") {
  for (const std::string name : {"train_flickr", "evaluate", "caption", "report"}) {
    const ProgramResult result = run_program({name, "--version"});
    CHECK(result.code == 0);
    CHECK(result.out == name + " (Glimpse " + version() + "), " + built_with() + "\n");
    CHECK(result.err == "");
  }
}

TEST_CASE("train_flickr, evaluate and caption on scenes") {
  const ScratchFolder folder;
  const std::string run = folder / "runs/a";
  const ProgramResult trained = run_program(small_training(run, 2));
  INFO(trained.out << trained.err);
  REQUIRE(trained.code == 0);
  for (const char* file :
       {"config.json", "log.jsonl", "last.safetensors", "best.safetensors", "report.html", "captions.json"})
    REQUIRE(fs::exists(run + "/" + file));
  REQUIRE(ScratchFolder().entries().empty());
  REQUIRE_THAT(trained.out, Contains("vocabulary") && Contains("parameters") && Contains("memory") &&
                                Contains("unknown") && Contains("best.safetensors") && Contains("evaluate --model"));

  SECTION("what was asked for is recorded") {
    const Json config = Json::parse(slurp(run + "/config.json"));
    REQUIRE(config["recipe"] == "scenes");
    REQUIRE(config["training"]["epochs"] == 2);
    REQUIRE(config["decoder"]["hidden"] == 24);
  }
  SECTION("the log has steps and epochs") {
    int steps = 0, epochs = 0;
    std::istringstream log(slurp(run + "/log.jsonl"));
    for (std::string line; std::getline(log, line);) {
      const Json json = Json::parse(line);
      steps += json.contains("gradient_norm");
      if (!json.contains("val_loss")) continue;
      ++epochs;
      for (const char* key : {"train_loss", "val_top1", "val_top5", "val_perplexity", "val_bleu", "val_meteor",
                              "val_cider_d", "distinct", "unknown"})
        REQUIRE(json.contains(key));
    }
    REQUIRE(epochs == 2);
    REQUIRE(steps == 8);
  }
  SECTION("the run is not overwritten by accident") {
    const ProgramResult again = run_program(small_training(run, 2));
    REQUIRE(again.code == 1);
    REQUIRE_THAT(again.err, Contains("--resume") && Contains("--overwrite"));
  }
  SECTION("evaluate scores the test split and the attention") {
    const ProgramResult scored =
        run_program({"evaluate", "--model", run + "/best.safetensors", "--json", folder / "s.json", "--out",
                     folder / "o.json", "--attention", folder / "maps", "--pictures", "2", "--beam", "3"});
    INFO(scored.err);
    REQUIRE(scored.code == 0);
    REQUIRE_THAT(scored.out,
                 Contains("BLEU-4") && Contains("CIDEr-D") && Contains("times chance") && Contains("captions/s"));
    const Json scores = Json::parse(slurp(folder / "s.json")), captions = Json::parse(slurp(folder / "o.json"));
    REQUIRE(scores["images"] == 10);
    REQUIRE(scores["split"] == "test");
    REQUIRE(scores["bleu"].size() == 4);
    REQUIRE(scores.contains("rouge_l"));
    REQUIRE(scores.contains("cider_d"));
    REQUIRE(captions.size() == 10);
    REQUIRE(captions[0]["references"].size() == 5);
    REQUIRE(fs::exists(folder / "maps"));
  }
  SECTION("caption needs the model file alone, and knows folders, lists and n best") {
    const SceneDataset scenes(1, {1, 1, 3});
    export_scenes(scenes, folder / "scenes");
    fs::copy_file(run + "/best.safetensors", folder / "alone.safetensors");
    fs::remove_all(run);
    const std::string model = folder / "alone.safetensors", images = folder / "scenes/images";
    const ProgramResult text = run_program({"caption", "--model", model, images});
    INFO(text.err);
    REQUIRE(text.code == 0);
    REQUIRE(std::count(text.out.begin(), text.out.end(), '\n') == 5);
    const ProgramResult json = run_program(
        {"caption", "--model", model, "--json", "--beam", "4", "--n-best", "2", "--attention", folder / "maps", "-"},
        {.input = images + "/test_000000.png\n" + images + "/test_000001.png\n"});
    INFO(json.err);
    REQUIRE(json.code == 0);
    const Json list = Json::parse(json.out);
    REQUIRE(list.size() == 2);
    REQUIRE(list[0]["captions"].size() == 2);
    REQUIRE(list[0]["captions"][0]["score"] >= list[0]["captions"][1]["score"]);
    for (const Json& picture : list[1]["attention"]) REQUIRE(fs::exists(picture.get<std::string>()));
  }
  SECTION("captions of another system are scored without a model") {
    const SceneDataset scenes(1, {40, 10, 10});
    export_scenes(scenes, folder / "scenes");
    Json captions = Json::array();
    const CaptionSet set = scenes.captions();
    for (const CaptionedImage* image : set.split("val")) {
      std::string caption;
      for (const std::string& word : image->captions[0]) caption += word + " ";
      captions.push_back({{"filename", image->filename}, {"caption", caption}});
    }
    const std::string file = folder.file("c.json", captions.dump());
    const ProgramResult scored =
        run_program({"evaluate", "--compare", file, "--captions", folder / "scenes/dataset_scenes.json", "--split",
                     "val", "--json", folder / "s.json"});
    INFO(scored.err);
    REQUIRE(scored.code == 0);
    REQUIRE(Json::parse(slurp(folder / "s.json"))["bleu"][3].get<double>() == Approx(1).margin(1e-6));
  }
}

TEST_CASE("a frozen encoder runs once per image, into a cache that is used again") {
  const ScratchFolder folder;
  export_scenes(SceneDataset(1, {30, 10, 6}), folder / "scenes");
  EncoderOptions options;
  options.name = "squeezenet1_1";
  options.size = 64;
  Encoder encoder = make_encoder(options);
  write_safetensors(folder / "squeezenet.safetensors", named_tensors(encoder));
  const std::string images = folder / "scenes/images", captions = folder / "scenes/dataset_scenes.json";
  const auto arguments = [&](const std::string& run) {
    std::vector<std::string> a{"train_flickr",
                               "--images",
                               images,
                               "--captions",
                               captions,
                               "--encoder",
                               "squeezenet1_1",
                               "--weights",
                               folder / "squeezenet.safetensors",
                               "--threads",
                               "1",
                               "--run",
                               run,
                               "--epochs",
                               "1",
                               "--min-count",
                               "1",
                               "--recipe",
                               "tutorial",
                               "--features",
                               folder / "features.safetensors",
                               "--set",
                               "encoder.image_size=64"};
    for (const char* size : {"decoder.hidden=16", "decoder.embedding=16", "decoder.attention_size=16"})
      a.push_back(size);
    return a;
  };
  const ProgramResult first = run_program(arguments(folder / "a"));
  INFO(first.out << first.err);
  REQUIRE(first.code == 0);
  REQUIRE_THAT(first.out, Contains("encoding 40 images") && Contains("frozen"));
  const ProgramResult second = run_program(arguments(folder / "b"));
  INFO(second.out << second.err);
  REQUIRE(second.code == 0);
  REQUIRE_THAT(second.out, Contains("is used again"));
  REQUIRE(slurp(folder / "a/best.safetensors") == slurp(folder / "b/best.safetensors"));

  SECTION("the model file holds the encoder") {
    fs::remove(folder / "squeezenet.safetensors");
    const ProgramResult caption =
        run_program({"caption", "--model", folder / "a/best.safetensors", images + "/val_000000.png"});
    INFO(caption.err);
    REQUIRE(caption.code == 0);
  }
  SECTION("evaluate gives the same captions with the cache and without") {
    const std::vector<std::string> evaluate{
        "evaluate", "--model", folder / "a/best.safetensors", "--images", images, "--captions", captions, "--split",
        "val",      "--out"};
    std::vector<std::string> with = evaluate, without = evaluate;
    with.insert(with.end(), {folder / "with.json", "--features", folder / "features.safetensors"});
    without.push_back(folder / "without.json");
    const ProgramResult a = run_program(with), b = run_program(without);
    INFO(a.err << b.err);
    REQUIRE(a.code == 0);
    REQUIRE(b.code == 0);
    REQUIRE_THAT(a.out, Contains("is used again"));
    REQUIRE(slurp(folder / "with.json") == slurp(folder / "without.json"));
  }
  SECTION("other images make the cache stale") {
    fs::copy_file(images + "/train_000001.png", images + "/train_000000.png", fs::copy_options::overwrite_existing);
    const ProgramResult third = run_program(arguments(folder / "c"));
    REQUIRE(third.code == 0);
    REQUIRE_THAT(third.out, Contains("encoding 40 images"));
  }
  SECTION("a stage of the encoder can be trained") {
    std::vector<std::string> fine = arguments(folder / "fine");
    fine.insert(fine.begin() + 1, {"--fine-tune", encoder.stages().back()});
    const ProgramResult tuned = run_program(fine);
    INFO(tuned.out << tuned.err);
    REQUIRE(tuned.code == 0);
    REQUIRE_THAT(tuned.out, Contains("trained from " + encoder.stages().back() + " on"));
    const SafetensorsFile before = read_safetensors(folder / "a/best.safetensors");
    const SafetensorsFile after = read_safetensors(folder / "fine/best.safetensors");
    REQUIRE(before.tensors.size() == after.tensors.size());
    bool first_stage_moved = false, last_stage_moved = false;
    for (std::size_t i = 0; i < before.tensors.size(); ++i) {
      if (!before.tensors[i].name.starts_with("encoder.")) continue;
      const bool moved = before.tensors[i].tensor.to_vector<float>() != after.tensors[i].tensor.to_vector<float>();
      first_stage_moved |= moved && before.tensors[i].name.starts_with("encoder.features.0.");
      last_stage_moved |= moved;
    }
    REQUIRE_FALSE(first_stage_moved);
    REQUIRE(last_stage_moved);
  }
}

TEST_CASE("runs share the features of their images") {
  const SmallPhotographs p;
  const std::string cache = p.folder / "cache";
  const ProgramResult first = p.train({"--cache", cache, "--run", p.folder / "a"});
  INFO(first.out << first.err);
  REQUIRE(first.code == 0);
  REQUIRE_THAT(first.out, Contains("encoding 12 images") && Contains(cache + "/squeezenet1_1-"));
  const ProgramResult second = p.train({"--cache", cache, "--run", p.folder / "b"});
  REQUIRE_THAT(second.out, Contains("is used again"));
  REQUIRE(slurp(p.folder / "a/best.safetensors") == slurp(p.folder / "b/best.safetensors"));

  SECTION("one changed picture has a cache of its own, and the first stays") {
    fs::copy_file(p.images + "/train_000001.png", p.first_image, fs::copy_options::overwrite_existing);
    REQUIRE_THAT(p.train({"--cache", cache, "--run", p.folder / "c"}).out, Contains("encoding 12 images"));
    REQUIRE(std::distance(fs::directory_iterator(cache), {}) == 2);
  }
  SECTION("two at once encode once") {
    fs::remove_all(cache);
    std::vector<ProgramResult> results(2);
    {
      std::jthread other([&] { results[1] = p.train({"--cache", cache, "--run", p.folder / "e"}); });
      results[0] = p.train({"--cache", cache, "--run", p.folder / "d"});
    }
    for (const ProgramResult& r : results) {
      INFO(r.out << r.err);
      REQUIRE(r.code == 0);
    }
    REQUIRE(slurp(p.folder / "d/best.safetensors") == slurp(p.folder / "e/best.safetensors"));
    REQUIRE(std::distance(fs::directory_iterator(cache), {}) == 1);
  }
  SECTION("$XDG_CACHE_HOME, and the run's folder where nothing can be written") {
    const ProgramResult standard =
        p.train({"--run", p.folder / "f"}, {.environment = {"XDG_CACHE_HOME=" + (p.folder / "xdg")}});
    REQUIRE_THAT(standard.out, Contains(p.folder / "xdg/glimpse/squeezenet1_1-"));
    const ProgramResult nowhere = p.train({"--run", p.folder / "g"}, {.environment = {"XDG_CACHE_HOME=/proc/none"}});
    REQUIRE(nowhere.code == 0);
    REQUIRE_THAT(nowhere.out, Contains(p.folder / "g/squeezenet1_1-"));
    const ProgramResult refused = p.train({"--run", p.folder / "h", "--cache", "/proc/none"});
    REQUIRE(refused.code == 1);
    REQUIRE_THAT(refused.err, Contains("--cache /proc/none: cannot write there"));
  }
}

TEST_CASE("without attention: Show and Tell") {
  const ScratchFolder folder;
  std::vector<std::string> arguments = small_training(folder / "run", 1);
  arguments.push_back("decoder.attention=none");
  const ProgramResult trained = run_program(arguments);
  INFO(trained.out << trained.err);
  REQUIRE(trained.code == 0);
  const ProgramResult scored = run_program({"evaluate", "--model", folder / "run/best.safetensors"});
  INFO(scored.out << scored.err);
  REQUIRE(scored.code == 0);
  const ProgramResult drawn =
      run_program({"evaluate", "--model", folder / "run/best.safetensors", "--attention", folder / "maps"});
  REQUIRE(drawn.code == 1);
  REQUIRE_THAT(drawn.err, Contains("has no attention"));
}

TEST_CASE("caption writes text, JSON, CSV and files beside the photographs") {
  const ScratchFolder folder;
  REQUIRE(run_program(small_training(folder / "run", 1)).code == 0);
  const std::string model = folder / "run/best.safetensors";
  export_scenes(SceneDataset(1, {1, 1, 2}), folder / "scenes");
  const std::string odd = folder / "a \"b\",\tc.png", plain = folder / "plain.png";
  fs::copy_file(folder / "scenes/images/test_000000.png", odd);
  fs::copy_file(folder / "scenes/images/test_000001.png", plain);
  const auto caption = [&](std::vector<std::string> more) {
    std::vector<std::string> arguments{"caption", "--model", model, "--beam", "3", odd, plain};
    arguments.insert(arguments.end(), more.begin(), more.end());
    return run_program(arguments);
  };
  const Json list = Json::parse(caption({"--json", "--n-best", "2"}).out);
  const auto text = [&](int image, int rank) { return list[image]["captions"][rank]["caption"].get<std::string>(); };

  SECTION("a table") {
    const ProgramResult r = caption({"--csv", "--n-best", "2"});
    INFO(r.out << r.err);
    REQUIRE(r.code == 0);
    REQUIRE(r.out.starts_with("filename,rank,caption,score,log_probability,finished\r\n"));
    REQUIRE(std::count(r.out.begin(), r.out.end(), '\n') == 5);
    const std::string quoted = "\"" + folder.path() + "/a \"\"b\"\",\tc.png\"";
    for (int rank = 0; rank < 2; ++rank) {
      REQUIRE_THAT(r.out, Contains("\r\n" + quoted + "," + std::to_string(rank + 1) + "," + text(0, rank) + ","));
      REQUIRE_THAT(r.out, Contains("\r\n" + plain + "," + std::to_string(rank + 1) + "," + text(1, rank) + ","));
    }
    REQUIRE(caption({"--csv", "--json"}).code == 2);
  }
  SECTION("text: a name stays on its line") {
    const ProgramResult r = caption({});
    REQUIRE(std::count(r.out.begin(), r.out.end(), '\n') == 2);
    REQUIRE_THAT(r.out, Contains("/a \"b\",\\tc.png: " + text(0, 0)));
  }
  SECTION("a picture on stdin is no list of paths") {
    const ProgramResult r = run_program({"caption", "--model", model, "-"}, {.input = slurp(plain)});
    REQUIRE(r.code == 1);
    REQUIRE(r.err == "caption: -: stdin holds something else than a list of paths, one a line\n");
  }
  SECTION("text files") {
    REQUIRE(caption({"--sidecar", "--n-best", "2"}).code == 0);
    REQUIRE(slurp(folder / "plain.txt") == text(1, 0) + "\n" + text(1, 1) + "\n");
    REQUIRE(slurp(folder / "a \"b\",\tc.txt") == text(0, 0) + "\n" + text(0, 1) + "\n");
    folder.file("plain.txt", "mine");
    fs::remove(folder / "a \"b\",\tc.txt");
    const ProgramResult kept = caption({"--sidecar"});
    REQUIRE(kept.code == 1);
    REQUIRE(kept.err == "caption: " + folder.path() + "/plain.txt: exists already; --force replaces it\n");
    REQUIRE(slurp(folder / "plain.txt") == "mine");
    REQUIRE(slurp(folder / "a \"b\",\tc.txt") == text(0, 0) + "\n");
    REQUIRE(caption({"--sidecar", "--force"}).code == 0);
    REQUIRE(slurp(folder / "plain.txt") == text(1, 0) + "\n");
  }
  SECTION("two photographs of one name, and one whose own name it would be") {
    fs::copy_file(plain, folder / "plain.PNG");
    fs::copy_file(plain, folder / "picture.txt");
    const ProgramResult r = caption({"--sidecar", "--force", folder / "plain.PNG", folder / "picture.txt"});
    REQUIRE(r.code == 1);
    REQUIRE_THAT(r.err, Contains("holds the captions of another photograph of this name") &&
                            Contains("picture.txt: its captions would have its own name"));
    REQUIRE(slurp(folder / "picture.txt") == slurp(plain));
    REQUIRE(slurp(folder / "plain.txt") == text(1, 0) + "\n");
  }
  SECTION("XMP") {
    REQUIRE(caption({"--xmp"}).code == 0);
    REQUIRE(slurp(folder / "plain.xmp").starts_with("<?xpacket begin=\"\xef\xbb\xbf\""));
    REQUIRE_THAT(slurp(folder / "plain.xmp"), Contains("<rdf:li xml:lang=\"x-default\">" + text(1, 0) + "</rdf:li>"));
    REQUIRE(caption({"--xmp"}).code == 1);
    REQUIRE(caption({"--xmp", "--force"}).code == 0);
    folder.file("plain.xmp", "<x:xmpmeta x:xmptk=\"darktable\"/>");
    const ProgramResult r = caption({"--xmp", "--force"});
    REQUIRE(r.code == 1);
    REQUIRE_THAT(r.err, Contains("plain.xmp: written by another program, so not replaced"));
    REQUIRE(slurp(folder / "plain.xmp") == "<x:xmpmeta x:xmptk=\"darktable\"/>");
  }
}

TEST_CASE("a mistyped option is named with what was probably meant; --help states types, defaults and exit codes") {
  for (const std::string name : {"train_flickr", "evaluate", "caption", "encode"}) {
    INFO(name);
    const ProgramResult typo = run_program({name, "--batcj", "4"});
    CHECK(typo.code == 2);
    CHECK(typo.err == name + ": there is no option --batcj (did you mean '--batch'?) (see " + name + " --help)\n");
    const ProgramResult odd = run_program({name, "--zzzzzzzz=3"});
    CHECK(odd.err == name + ": there is no option --zzzzzzzz (see " + name + " --help)\n");
    const ProgramResult help = run_program({name, "--help"});
    CHECK(help.code == 0);
    CHECK_THAT(help.out, Contains("Exit code: 0 ") && Contains("--batch INT:INT in [1 - 4096]"));
  }
  CHECK_THAT(run_program({"caption", "--modle", "x", "y.jpg"}).err, Contains("did you mean '--model'?"));
  CHECK_THAT(run_program({"train_flickr", "--help"}).out,
             Contains("--epochs INT:INT in [1 - 1000000]") && Contains("at most [8; scenes 16]"));
}
