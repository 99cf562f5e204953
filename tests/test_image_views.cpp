// Views of a picture: the whole, its corners, and their mirror images, of files and of scenes.

#include "catch.h"
#include "error_of.h"
#include "glimpse/data/dataset.h"
#include "glimpse/data/image_views.h"
#include "scratch_folder.h"

using namespace glimpse;
using glimpse::test::error_of;

namespace {

/// Pixels that say where they lie.
Image numbered(int width, int height) {
  Image image{width, height, {}};
  for (int y = 0; y < height; ++y)
    for (int x = 0; x < width; ++x)
      image.rgb.insert(image.rgb.end(), {static_cast<std::uint8_t>(x), static_cast<std::uint8_t>(y), 7});
  return image;
}

/// What view `view` of numbered(16, 24) should be: x from `left`, y from `top`, 14 by 21 pixels.
Image corner(int left, int top) {
  Image image = numbered(14, 21);
  for (std::size_t i = 0; i < image.rgb.size(); i += 3) {
    image.rgb[i] = static_cast<std::uint8_t>(image.rgb[i] + left);
    image.rgb[i + 1] = static_cast<std::uint8_t>(image.rgb[i + 1] + top);
  }
  return image;
}

bool same(const Image& a, const Image& b) { return a.width == b.width && a.height == b.height && a.rgb == b.rgb; }

}  // namespace

TEST_CASE("views are the whole, four corners, and their mirror images") {
  const Image image = numbered(16, 24);
  const std::vector<Image> parts{image, corner(0, 0), corner(2, 3), corner(2, 0), corner(0, 3)};
  for (int view = 0; view < most_views; ++view) {
    INFO(view);
    CHECK(same(part_of(image, view), parts[view / 2]));
    CHECK(is_mirrored(view) == (view % 2 == 1));
  }
  CHECK(part_of(numbered(1, 1), 8).rgb.size() == 3);
  CHECK_THAT(error_of([&] { part_of(image, 10); }), Contains("view 10 of an image, expected 0 .. 9"));
  CHECK_THROWS_AS(part_of(image, -1), Error);

  const Image turned = mirrored(numbered(5, 2));
  REQUIRE((turned.width == 5 && turned.height == 2));
  for (int i = 0; i < 10; ++i) {
    CHECK(turned.rgb[3 * i] == 4 - i % 5);
    CHECK(turned.rgb[3 * i + 1] == i / 5);
  }
}

TEST_CASE("a list of fewer views is the beginning of one of more") {
  CHECK(views_text(1).empty());
  CHECK(views_text(2) == "mirrored");
  CHECK(views_text(4) == "mirrored, top left 7/8, top left 7/8 mirrored");
  for (int count = 1; count <= most_views; ++count) {
    CHECK(count_views(views_text(count)) == count);
    CHECK(views_text(most_views).starts_with(views_text(count)));
  }
  CHECK_THAT(error_of([] { views_text(11); }), Contains("11 views of an image, expected 1 .. 10"));
  CHECK_THROWS_AS(views_text(0), Error);
}

TEST_CASE("pictures are read in a view, squashed after it is cut and mirrored at last") {
  const ScratchFolder folder;
  const std::string path = folder / "a.png";
  const Image image = numbered(16, 24);
  write_png(path, image);
  for (int view = 0; view < most_views; ++view) {
    INFO(view);
    const Image part = part_of(image, view), small = resize(part, 8, 8);
    CHECK(same(read_image(path, {.view = view}), is_mirrored(view) ? mirrored(part) : part));
    CHECK(same(read_image(path, {.squash = 8, .view = view}), is_mirrored(view) ? mirrored(small) : small));
  }
  CHECK_THAT(error_of([&] { read_image(path, {.view = 12}); }), Contains("a.png: view 12"));

  const Dataset scenes(SceneDataset(1, {1, 1, 1}));
  const CaptionedImage& scene = *scenes.all()[0];
  const Image drawn = scenes.image(scene);
  CHECK(same(scenes.image(scene, {.view = 1}), mirrored(drawn)));
  CHECK(same(scenes.image(scene, {.view = 5}), mirrored(part_of(drawn, 4))));
}
