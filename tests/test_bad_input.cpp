// Bad input: one clear line that names the file and the reason, an exit code, and no half-written output.

#include <filesystem>
#include <nlohmann/json.hpp>

#include "catch.h"
#include "program.h"
#include "scratch_folder.h"
#include "small_photographs.h"
#include "small_run.h"

using namespace glimpse;
namespace fs = std::filesystem;

namespace {

/// A PNG that says it has 40,000 x 40,000 pixels, and nothing else.
std::string giant_png() {
  const unsigned char bytes[] = {0x89, 'P', 'N', 'G', '\r', '\n', 0x1a, '\n', 0,    0, 0,    13,
                                 'I',  'H', 'D', 'R', 0,    0,    0x9c, 0x40, 0,    0, 0x9c, 0x40,
                                 8,    2,   0,   0,   0,    0x34, 0x9b, 0x0a, 0x5c, 0, 0,    0,
                                 0,    'I', 'D', 'A', 'T',  0x35, 0xaf, 0x06, 0x1e};
  return {reinterpret_cast<const char*>(bytes), sizeof bytes};
}

struct Photographs : SmallPhotographs {
  /// The one line that must be said, and nothing left behind.
  void require_refused(const ProgramResult& r, const std::vector<std::string>& texts, int code = 1) const {
    INFO(r.out << r.err);
    REQUIRE(r.signal == 0);
    REQUIRE(r.code == code);
    REQUIRE(std::count(r.err.begin(), r.err.end(), '\n') == 1);
    for (const std::string& text : texts) REQUIRE_THAT(r.err, Contains(text));
    REQUIRE_FALSE(fs::exists(folder / "runs"));
  }
};

}  // namespace

TEST_CASE("train_flickr refuses bad photographs and captions") {
  Photographs p;
  const std::string good = slurp(p.first_image);
  const auto put = [](const std::string& path, const std::string& bytes) {
    std::ofstream(path, std::ios::binary | std::ios::trunc) << bytes;
  };
  SECTION("truncated image") {
    put(p.first_image, good.substr(0, good.size() / 2));
    p.require_refused(p.train(), {"train_000000.png"});
  }
  SECTION("empty image") {
    put(p.first_image, "");
    p.require_refused(p.train(), {"train_000000.png", "empty"});
  }
  SECTION("text named .png") {
    put(p.first_image, "this is no photograph\n");
    p.require_refused(p.train(), {"train_000000.png"});
  }
  SECTION("giant image") {
    put(p.first_image, giant_png());
    p.require_refused(p.train(), {"train_000000.png", "40000"});
  }
  SECTION("missing image") {
    fs::remove(p.first_image);
    p.require_refused(p.train(), {"train_000000.png"});
  }
  SECTION("with --skip-bad it is counted and listed") {
    put(p.first_image, "this is no photograph\n");
    const ProgramResult r = p.train({"--skip-bad"});
    INFO(r.out << r.err);
    REQUIRE(r.code == 0);
    REQUIRE_THAT(r.out, Contains("skipped") && Contains("train_000000.png") && Contains("7 images"));
    REQUIRE_THAT(slurp(p.run + "/skipped.jsonl"), Contains("train_000000.png"));
    const ProgramResult again = run_program({"train_flickr", "--run", p.run, "--resume", "--epochs", "2"});
    INFO(again.out << again.err);
    REQUIRE(again.code == 0);
  }
  SECTION("captions cut in the middle") {
    const std::string text = slurp(p.captions);
    put(p.captions, text.substr(0, text.size() / 2));
    p.require_refused(p.train(), {p.captions});
  }
  SECTION("captions without images") {
    fs::remove_all(p.images);
    fs::create_directory(p.images);
    p.require_refused(p.train(), {p.images});
  }
  SECTION("no folder of images") { p.require_refused(p.train({"--images", "/nowhere"}), {"/nowhere"}); }
  SECTION("no caption file") { p.require_refused(p.train({"--captions", "/nowhere.json"}), {"/nowhere.json"}); }
}

TEST_CASE("train_flickr refuses bad weights and options") {
  Photographs p;
  SECTION("another architecture") { p.require_refused(p.train({"--encoder", "resnet18"}), {"weights.safetensors"}); }
  SECTION("overlapping offsets") {
    const std::string header =
        R"({"a":{"dtype":"F32","shape":[2],"data_offsets":[0,8]},"b":{"dtype":"F32","shape":[2],"data_offsets":[4,12]}})";
    std::string bytes(8, '\0');
    bytes[0] = static_cast<char>(header.size());
    p.folder.file("weights.safetensors", bytes + header + std::string(12, '\0'));
    p.require_refused(p.train(), {"weights.safetensors"});
  }
  SECTION("offsets outside the file") {
    const std::string header = R"({"a":{"dtype":"F32","shape":[2],"data_offsets":[0,8]}})";
    std::string bytes(8, '\0');
    bytes[0] = static_cast<char>(header.size());
    p.folder.file("weights.safetensors", bytes + header);
    p.require_refused(p.train(), {"weights.safetensors"});
  }
  SECTION("no weights") { p.require_refused(p.train({"--weights", "/nowhere.safetensors"}), {"/nowhere.safetensors"}); }
  SECTION("no encoder of that name") {
    p.require_refused(p.train({"--encoder", "resnet19"}), {"resnet19", "resnet18"});
  }
  SECTION("no stage of that name") { p.require_refused(p.train({"--stage", "layer9"}), {"layer9"}); }
  SECTION("unknown recipe") { p.require_refused(p.train({"--recipe", "best"}), {"'best'", "default", "tutorial"}); }
  SECTION("unknown key") {
    p.require_refused(p.train({"--set", "decoder.hiden=3"}), {"decoder.hiden", "decoder.hidden"});
  }
  SECTION("bad value") { p.require_refused(p.train({"--epochs", "0"}), {"--epochs 0", "1 .."}); }
  SECTION("unknown option") { p.require_refused(p.train({"--epoch", "3"}), {"--epoch"}, 2); }
  SECTION("unknown device") { p.require_refused(p.train({"--device", "tpu"}), {"tpu", "cpu"}); }
  SECTION("rounded products on the CPU") {
    p.require_refused(p.train({"--matmul", "tf32"}), {"matmul tf32", "device cuda"});
  }
  SECTION("a feature file that is something else is not overwritten") {
    const std::string before = slurp(p.weights);
    p.require_refused(p.train({"--features", p.weights}), {"weights.safetensors"});
    REQUIRE(slurp(p.weights) == before);
  }
}

TEST_CASE("train_flickr refuses folders that it cannot write") {
  Photographs p;
  SECTION("below a file") {
    p.folder.file("file", "");
    p.require_refused(p.train({"--run", p.folder / "file/run"}), {"file/run"});
  }
  SECTION("read-only") {
    fs::create_directory(p.folder / "locked");
    fs::permissions(p.folder / "locked", fs::perms::owner_read | fs::perms::owner_exec);
    if (geteuid() != 0) p.require_refused(p.train({"--run", p.folder / "locked/run"}), {"locked/run"});
    p.require_refused(p.train({"--run", "/proc/run"}), {"/proc/run"});
  }
  SECTION("full while the features are written") { p.require_refused(p.train({}, {.largest_file = 20'000}), {"File too large"}); }
  SECTION("full while a checkpoint is written: what was there stays") {
    const ProgramResult first = run_program(small_training(p.run, 1));
    REQUIRE(first.code == 0);
    const std::string last = slurp(p.run + "/last.safetensors"), best = slurp(p.run + "/best.safetensors");
    const ProgramResult r = run_program({"train_flickr", "--run", p.run, "--resume", "--epochs", "2"},
                                        {.largest_file = static_cast<long>(last.size() / 2)});
    INFO(r.out << r.err);
    REQUIRE(r.code == 1);
    REQUIRE_THAT(r.err, Contains("last.safetensors"));
    REQUIRE(slurp(p.run + "/last.safetensors") == last);
    REQUIRE(slurp(p.run + "/best.safetensors") == best);
    for (const auto& entry : fs::directory_iterator(p.run)) REQUIRE(entry.path().extension() != ".tmp");
  }
}

TEST_CASE("evaluate and caption refuse bad input") {
  Photographs p;
  const std::string run = p.folder / "scenes_run";
  REQUIRE(run_program(small_training(run, 1)).code == 0);
  const std::string model = run + "/best.safetensors";
  const auto refused = [&](std::vector<std::string> arguments, const std::vector<std::string>& texts, int code = 1) {
    p.require_refused(run_program(std::move(arguments)), texts, code);
  };
  SECTION("options") {
    refused({"evaluate", "--model", model, "--beam", "0"}, {"--beam"}, 2);
    refused({"caption", "--model", model, "--beam", "0", p.first_image}, {"--beam"}, 2);
    refused({"caption", "--model", model, "--beam", "2", "--n-best", "3", p.first_image}, {"--n-best 3"});
    refused({"evaluate"}, {"--model"});
    refused({"caption", "--model", model, "--beam", "3", "--groups", "2", p.first_image}, {"--beam 3", "--groups 2"});
    refused({"caption", "--model", model, "--min-words", "9", "--max-words", "8", p.first_image}, {"--min-words 9"});
    refused({"caption", "--model", model, "--top-p", "0.5", p.first_image}, {"--top-p", "--sample"}, 2);
    refused({"caption", "--model", model, "--sample", "--groups", "3", p.first_image}, {"--sample", "--groups"});
    refused({"caption", "--model", model, "--choose", "best", p.first_image}, {"--choose", "cider"}, 2);
    refused({"caption", "--model", model, "--length-norm", "lines", p.first_image}, {"--length-norm", "gnmt"}, 2);
    refused({"caption", "--model", model, "--ensemble", "/nowhere", p.first_image}, {"/nowhere"});
    refused({"evaluate", "--model", model, "--ensemble", model, "--retrieval", "4"}, {"--ensemble", "--retrieval"});
    refused({"caption", "--model", model}, {"images"}, 2);
  }
  SECTION("models") {
    refused({"evaluate", "--model", "/nowhere.safetensors"}, {"/nowhere.safetensors"});
    refused({"caption", "--model", p.weights, p.first_image}, {"weights.safetensors", "no captioner"});
    refused({"caption", "--model", run + "/last.safetensors", p.first_image}, {"last.safetensors", "best.safetensors"});
    const std::string cut = slurp(model).substr(0, 5000);
    refused({"caption", "--model", p.folder.file("cut.safetensors", cut), p.first_image}, {"cut.safetensors"});
  }
  SECTION("images: the others are captioned all the same") {
    const std::string text = p.folder.file("text.jpg", "no photograph");
    const ProgramResult r = run_program({"caption", "--model", model, text, p.first_image});
    REQUIRE(r.code == 1);
    REQUIRE_THAT(r.err, Contains("text.jpg"));
    REQUIRE_THAT(r.out, Contains("train_000000.png"));
    refused({"caption", "--model", model, p.folder.file("giant.png", giant_png())}, {"giant.png", "40000"});
    refused({"caption", "--model", model, "/nowhere.jpg"}, {"/nowhere.jpg"});
  }
  SECTION("data") {
    refused({"evaluate", "--model", model, "--split", "dev"}, {"dev", "train, val, test"});
    refused({"evaluate", "--model", model, "--images", p.images}, {"--captions"});
    refused(
        {"evaluate", "--model", model, "--images", p.images, "--captions", p.folder.file("c.json", "{\"images\": [")},
        {"c.json"});
    refused({"evaluate", "--compare", p.folder.file("d.json", "[{\"filename\": 1}]"), "--captions", p.captions},
            {"d.json"});
    refused({"evaluate", "--compare", p.folder.file("e.json", "[]"), "--captions", p.captions, "--split", "val"},
            {"e.json", "no caption in it"});
    refused({"evaluate", "--compare", p.folder.file("o.json", R"({"other.jpg": "a"})"), "--captions", p.captions,
             "--split", "val"},
            {"o.json", "no caption for 4 of the 4", "'other.jpg'"});
    refused({"evaluate", "--compare", model}, {"--compare", "--model scores it"});
    refused({"evaluate", "--against", model}, {"--model FILE"});
    refused({"evaluate", "--model", model, "--against", "/nowhere.json"}, {"/nowhere.json"});
    refused({"evaluate", "--model", model, "--against", model, "--out", p.folder / "o.json"}, {"--out"});
    refused({"evaluate", "--model", model, "--against", p.folder.file("f.json", "[1")}, {"f.json"});
    refused({"evaluate", "--model", model, "--retrieval", "1"}, {"--retrieval"}, 2);
    refused({"evaluate", "--model", model, "--intervals", "1"}, {"--intervals"}, 2);
    refused({"evaluate", "--compare", p.folder.file("g.json", "[]"), "--captions", p.captions, "--retrieval"},
            {"--retrieval", "model"});
  }
  SECTION("output that cannot be written is refused before the work") {
    refused({"evaluate", "--model", model, "--json", "/nowhere/s.json"}, {"/nowhere/s.json"});
    refused({"evaluate", "--model", model, "--out", "/proc/o.json"}, {"/proc/o.json"});
    refused({"caption", "--model", model, "--attention", model + "/maps", p.first_image}, {"maps"});
  }
}
