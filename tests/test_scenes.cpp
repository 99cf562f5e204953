// The built-in data set: the same on every call, captions that tell the truth, masks that fit, an honest test split.
#include <algorithm>
#include <cmath>
#include <map>
#include <set>

#include "catch.h"
#include "glimpse/data/scenes.h"
#include "glimpse/kernels/base/error.h"
#include "scratch_folder.h"

using namespace glimpse;

namespace {

using Words = std::vector<std::string>;

const SceneDataset scenes(1, {200, 100, 100});

bool has_held_out(const Scene& scene) {
  return std::any_of(scene.objects.begin(), scene.objects.end(),
                     [](const SceneObject& o) { return SceneDataset::is_held_out(o.colour, o.shape); });
}

SceneObject object(SceneShape shape, SceneColour colour, SceneSize size, std::size_t pixel) {
  SceneObject result{shape, colour, size, 0, 0, 0, 0, {2, 2, {0, 0, 0, 0}}};
  result.mask.inside[pixel] = 1;
  return result;
}

}  // namespace

TEST_CASE("a scene follows from seed, split and index") {
  const Scene a = scenes.scene("train", 17), b = SceneDataset(1, {18, 1, 1}).scene("train_000017.png");
  CHECK(a.filename == "train_000017.png");
  CHECK(a.image.rgb == b.image.rgb);
  CHECK(a.captions == b.captions);
  CHECK(a.image.width == SceneDataset::image_size);
  CHECK(a.image.rgb != SceneDataset(2).scene("train", 17).image.rgb);
  CHECK(a.image.rgb != scenes.scene("val", 17).image.rgb);
  CHECK(a.image.rgb != scenes.scene("train", 18).image.rgb);
}

TEST_CASE("scenes that do not exist are refused") {
  CHECK(scenes.size("train") == 200);
  CHECK_THROWS_AS(scenes.size("dev"), Error);
  CHECK_THROWS_AS(scenes.scene("train", 200), Error);
  CHECK_THROWS_AS(scenes.scene("val", -1), Error);
  for (const char* name : {"train_000200.png", "train_17.png", "dev_000001.png", "train_00001x.png", "x.png", ""})
    CHECK_THROWS_AS(scenes.scene(name), Error);
}

TEST_CASE("the caption set is that of the scenes, with few words and five captions an image") {
  const CaptionSet set = scenes.captions();
  REQUIRE(set.images.size() == 400);
  CHECK(set.split("train").size() == 200);
  CHECK(set.split("test").size() == 100);
  std::set<std::string> words, train_words;
  for (const CaptionedImage& image : set.images) {
    REQUIRE(image.captions.size() == 5);
    CHECK(std::set<Words>(image.captions.begin(), image.captions.end()).size() == 5);
    for (const Words& caption : image.captions) {
      CHECK(caption.size() >= 5);
      CHECK(caption.size() <= 16);
      words.insert(caption.begin(), caption.end());
      if (image.split == "train") train_words.insert(caption.begin(), caption.end());
    }
  }
  CHECK(words == train_words);
  CHECK(words.size() >= 40);
  CHECK(words.size() <= 60);
  CHECK(set.images[17].captions == scenes.scene("train", 17).captions);
  CHECK(set.images[17].filename == "train_000017.png");
}

TEST_CASE("held-out pairs of colour and shape are in every scene of test, and in none of train and val") {
  for (int i = 0; i < 100; ++i) {
    CHECK_FALSE(has_held_out(scenes.scene("train", i)));
    CHECK_FALSE(has_held_out(scenes.scene("val", i)));
    CHECK(has_held_out(scenes.scene("test", i)));
  }
  // Each colour and each shape is seen in training, in other company.
  for (int shape = 0; shape < 5; ++shape) {
    int held_out = 0;
    for (int colour = 0; colour < 6; ++colour)
      held_out += SceneDataset::is_held_out(static_cast<SceneColour>(colour), static_cast<SceneShape>(shape));
    CHECK(held_out == 1);
  }
}

TEST_CASE("masks lie where the colour is, inside the picture, and apart from each other") {
  double share = 0, count = 0;
  std::map<SceneSize, std::set<std::int64_t>> areas;
  for (int i = 0; i < 200; ++i) {
    const Scene scene = scenes.scene("train", i);
    std::vector<int> owners(scene.image.rgb.size() / 3, 0);
    for (const SceneObject& o : scene.objects) {
      const int size = o.mask.width;
      REQUIRE(o.mask.inside.size() == owners.size());
      share += static_cast<double>(o.mask.area()) / static_cast<double>(owners.size());
      ++count;
      if (o.shape == SceneShape::circle) areas[o.size].insert(o.mask.area());
      CHECK(o.mask.inside[int(o.y * 64) * size + int(o.x * 64)] == 1);
      for (std::size_t p = 0; p < owners.size(); ++p) {
        owners[p] += o.mask.inside[p];
        const int x = static_cast<int>(p) % size, y = static_cast<int>(p) / size;
        if (x == 0 || y == 0 || x == size - 1 || y == size - 1) REQUIRE(o.mask.inside[p] == 0);
      }
      // Far inside, the paint is saturated; the ground is dull.
      const std::uint8_t* pixel = scene.image.rgb.data() + 3 * (int(o.y * 64) * size + int(o.x * 64));
      CHECK(std::max({pixel[0], pixel[1], pixel[2]}) - std::min({pixel[0], pixel[1], pixel[2]}) > 70);
    }
    CHECK(*std::max_element(owners.begin(), owners.end()) == 1);
  }
  CHECK(share / count > 0.02);
  CHECK(share / count < 0.06);
  CHECK(*areas[SceneSize::small].rbegin() * 1.5 < static_cast<double>(*areas[SceneSize::large].begin()));
}

TEST_CASE("captions tell the truth") {
  const auto has = [](const Words& caption, const std::string& word) {
    return std::find(caption.begin(), caption.end(), word) != caption.end();
  };
  int lefts = 0, aboves = 0;
  for (int i = 0; i < 200; ++i) {
    const Scene scene = scenes.scene("train", i);
    std::size_t named = 0;
    for (const Words& caption : scene.captions) {
      named += named_shapes(scene, caption).size();
      CHECK(has(caption, "three") == (scene.objects.size() == 3));
      if (has(caption, "corner")) {
        CHECK(has(caption, "left") == (scene.objects[0].x < 0.5f));
        CHECK(has(caption, "top") == (scene.objects[0].y < 0.5f));
      }
    }
    CHECK(named >= 5);  // each wording names at least one shape that is there
    const Words& first = scene.captions[0];
    if (has(first, "above")) {
      ++aboves;
      CHECK(scene.objects[0].y + 0.2f < scene.objects[1].y);
      CHECK(named_shapes(scene, first)[0].mask.inside == scene.objects[0].mask.inside);
      CHECK(named_shapes(scene, first)[1].mask.inside == scene.objects[1].mask.inside);
    }
    if (has(first, "of") && has(first, "left") && scene.objects.size() == 2) {
      ++lefts;
      CHECK(scene.objects[0].x + 0.2f < scene.objects[1].x);
    }
  }
  CHECK(lefts > 10);
  CHECK(aboves > 10);
}

TEST_CASE("nouns find the objects that they name") {
  Scene scene;
  scene.objects = {object(SceneShape::circle, SceneColour::red, SceneSize::large, 0),
                   object(SceneShape::circle, SceneColour::blue, SceneSize::small, 1),
                   object(SceneShape::square, SceneColour::blue, SceneSize::small, 2)};
  const auto named = [&](const std::string& caption) {
    std::string result;  // "position:pixels"
    for (const NamedShape& shape : named_shapes(scene, tokenize(caption))) {
      if (!result.empty()) result += " ";
      result += std::to_string(shape.position) + ":";
      for (const std::uint8_t inside : shape.mask.inside) result += inside ? '1' : '0';
    }
    return result;
  };
  CHECK(named("a large red circle above a blue square") == "3:1000 7:0010");
  CHECK(named("a red circle") == "2:1000");
  CHECK(named("a little circle") == "2:0100");
  CHECK(named("the square").starts_with("1:0010"));
  CHECK(named("a circle").empty());        // two fit
  CHECK(named("a green circle").empty());  // none fits
  CHECK(named("a large blue circle").empty());
  CHECK(named("two circles") == "1:1100");
  CHECK(named("two blue circles").empty());  // there is only one
  CHECK(named("red red red").empty());
  CHECK(named("").empty());
}

TEST_CASE("attention inside a mask") {
  SceneMask mask{4, 4, std::vector<std::uint8_t>(16, 0)};
  mask.inside[0] = mask.inside[1] = mask.inside[5] = 1;
  CHECK(mask.area() == 3);
  const std::vector<float> uniform(4, 0.25f), corner = {1, 0, 0, 0};
  CHECK(attention_inside(mask, uniform, 2, 2) == Approx(3.0 / 16));
  CHECK(attention_inside(mask, corner, 2, 2) == Approx(0.75));
  CHECK(attention_inside(mask, std::vector<float>{1}, 1, 1) == Approx(3.0 / 16));
  // Cells that do not fit the pixels are shared out by area: 3 x 3 cells of 4/3 pixels.
  std::vector<float> cell(9, 0);
  cell[0] = 1;
  CHECK(attention_inside(mask, cell, 3, 3) == Approx((1 + 1.0 / 3 + 1.0 / 9) / (16.0 / 9)));
  const std::vector<float> fine(64, 1.0f / 64);
  CHECK(attention_inside(mask, fine, 8, 8) == Approx(3.0 / 16));
  CHECK_THROWS_AS(attention_inside(mask, uniform, 2, 3), Error);
}

TEST_CASE("exported scenes are a data set like any other") {
  const ScratchFolder folder;
  const SceneDataset small(5, {4, 2, 3});
  export_scenes(small, folder.path());
  CaptionSet set = read_captions(folder / "dataset_scenes.json");
  REQUIRE(set.images.size() == 9);
  const CaptionSet expected = small.captions();
  for (std::size_t i = 0; i < 9; ++i) {
    CHECK(set.images[i].filename == expected.images[i].filename);
    CHECK(set.images[i].split == expected.images[i].split);
    CHECK(set.images[i].captions == expected.images[i].captions);
  }
  CHECK(check_images(set, folder / "images").usable == 9);
  CHECK(read_image(folder / "images/test_000002.png").rgb == small.scene("test", 2).image.rgb);
}
