// What a training batch brings together: the words of each row, and the features or the pixels of that row's image.

#include <algorithm>
#include <map>
#include <numeric>

#include "catch.h"
#include "glimpse/data/image_views.h"
#include "glimpse/engine/random.h"
#include "glimpse/models/captioner/features.h"
#include "glimpse/models/training/training_batches.h"
#include "glimpse/models/training/view_choice.h"
#include "scratch_folder.h"

using namespace glimpse;

namespace {

constexpr int images = 12, captions_each = 3;

/// Images of one grey level each, whose captions say which one: "w7" once or more, so that lengths differ.
struct NumberedImages {
  explicit NumberedImages(Grouping grouping, int views = 1, const std::string& side_words = "") {
    std::string table = "image,caption,split\n";
    for (int i = 0; i < images; ++i) {
      const std::string name = "image" + std::to_string(i) + ".png";
      write_png(folder / name, Image{32, 32, std::vector<std::uint8_t>(32 * 32 * 3, grey(i))});
      for (int c = 0; c < captions_each; ++c) {
        std::string caption;
        for (int word = 0; word <= (i + c) % 4; ++word) caption += "w" + std::to_string(i) + " ";
        table += name + "," + caption + "c" + std::to_string(c) + ",train\n";
      }
    }
    dataset.emplace(folder.path(), folder.file("captions.csv", table));
    Config config;
    config.encoder.name = "scratch";
    config.encoder.image_size = 32;
    config.decoder.embedding = config.decoder.attention_size = 4;
    config.decoder.hidden = 6;
    config.training.batch = 7;
    config.training.grouping = grouping;
    config.data.views = views;
    config.data.side_words = side_words;
    Generator generator(1);
    const ImageList train = dataset->require_split("train");
    made = make_model(config, Vocabulary::build(train, 1, dataset->captions().rule), generator);
  }

  static std::uint8_t grey(int image) { return static_cast<std::uint8_t>(10 + 20 * image); }

  /// Features whose every value is the image's number, and a sixteenth for each view before; images in an order of the
  /// file's own.
  FeatureCache features(int views = 1) const {
    std::vector<std::string> names;
    for (int row = 0; row < images; ++row) names.push_back("image" + std::to_string(number(row)) + ".png");
    const auto encode = [](std::int64_t begin, std::int64_t end) {
      Tensor y = empty({end - begin, 4, 2});
      for (std::int64_t row = begin; row < end; ++row)
        std::fill_n(y.data<float>() + (row - begin) * 8, 8,
                    static_cast<float>(number(row % images)) + static_cast<float>(row / images) / 16);
      return y;
    };
    FeatureKey key;
    key.views = views_text(views);
    return FeatureCache::build(folder / "features", key, names, encode, {});
  }
  static int number(std::int64_t row) { return static_cast<int>(row * 5 % images); }

  ScratchFolder folder;
  std::optional<Dataset> dataset;
  std::optional<CaptionModel> made;
  const CaptionModel& model() const { return *made; }
};

/// The image that the words of row r speak of.
int spoken_of(const NumberedImages& data, const TokenBatch& tokens, std::int64_t row) {
  const std::int32_t first = tokens.targets.data<std::int32_t>()[row];  // step 0 holds every row
  return std::stoi(data.model().vocabulary.word(first).substr(1));
}

/// Calls check(row, image number of its words, index into the batch's images) for all rows of an epoch.
template <class F>
void each_row(const NumberedImages& data, const FeatureCache* cache, F&& check) {
  TrainingBatches batches(data.model(), *data.dataset, cache);
  std::map<int, int> seen;
  for (int left = images * captions_each; left > 0;) {
    const TrainingBatch batch = batches.next();
    for (std::int64_t row = 0; row < batch.tokens.rows(); ++row) {
      const int image = spoken_of(data, batch.tokens, row);
      ++seen[image];
      check(batch, image, batch.tokens.image_of(row));
    }
    left -= static_cast<int>(batch.tokens.rows());
  }
  CHECK(seen.size() == images);
  CHECK(std::all_of(seen.begin(), seen.end(), [](const auto& entry) { return entry.second == captions_each; }));
}

}  // namespace

TEST_CASE("each row of a training batch has its own image's features") {
  for (const Grouping grouping : {Grouping::by_length, Grouping::by_image}) {
    const NumberedImages data(grouping);
    const FeatureCache cache = data.features();
    each_row(data, &cache, [](const TrainingBatch& batch, int image, std::int64_t index) {
      REQUIRE(batch.features.size(0) == batch.tokens.images());
      CHECK(batch.features.data<float>()[index * 8] == static_cast<float>(image));
      CHECK(batch.features.data<float>()[index * 8 + 7] == static_cast<float>(image));
    });
  }
}

TEST_CASE("each row of a training batch has its own image's pixels") {
  for (const Grouping grouping : {Grouping::by_length, Grouping::by_image}) {
    const NumberedImages data(grouping);
    const Preprocessing& how = data.model().preprocessing;
    each_row(data, nullptr, [&](const TrainingBatch& batch, int image, std::int64_t index) {
      REQUIRE(batch.pixels.shape() == Shape{batch.tokens.images(), 3, 32, 32});
      const float red = batch.pixels.data<float>()[index * 3 * 32 * 32];
      CHECK(red * how.std[0] + how.mean[0] == Approx(NumberedImages::grey(image) / 255.0f).margin(1e-5));
    });
  }
}

namespace {

/// The view of each caption in `passes` passes from batch `start` on: (pass, image, caption) -> view, as the features
/// of its row show it.
std::map<std::array<int, 3>, int> views_seen(const NumberedImages& data, const FeatureCache& cache, int passes) {
  std::map<std::array<int, 3>, int> seen;
  TrainingBatches batches(data.model(), *data.dataset, &cache);
  for (int row_count = 0; row_count < passes * images * captions_each;) {
    const TrainingBatch batch = batches.next();
    const int pass = row_count / (images * captions_each);
    for (std::int64_t row = 0; row < batch.tokens.rows(); ++row) {
      const std::int64_t index = batch.tokens.image_of(row);
      const float value = batch.features.data<float>()[index * 8];
      const int image = spoken_of(data, batch.tokens, row);
      REQUIRE(static_cast<int>(value) == image);
      const int view = static_cast<int>(16 * (value - static_cast<float>(image)));
      REQUIRE(batch.views[index] == view);
      // The last word before <end> is "c0", "c1" or "c2".
      const std::vector<std::int32_t> words = batch.tokens.targets.to_vector<std::int32_t>();
      std::string last;
      for (std::int64_t t = 0; t + 1 < batch.tokens.steps() && batch.tokens.active[t + 1] > row; ++t)
        last = data.model().vocabulary.word(words[batch.tokens.offset[t] + row]);
      seen[{pass, image, std::stoi(last.substr(1))}] = view;
    }
    row_count += static_cast<int>(batch.tokens.rows());
  }
  REQUIRE(std::ssize(seen) == passes * images * captions_each);
  return seen;
}

}  // namespace

TEST_CASE("each caption sees one of the views, and none mirrored where it names a side") {
  constexpr int views = 4, passes = 40;
  // Captions 1 name a side.
  const NumberedImages data(Grouping::by_length, views, "c1 elsewhere");
  const FeatureCache cache = data.features(views);
  const auto seen = views_seen(data, cache, passes);
  std::vector<int> counts(views), of_sides(views);
  for (const auto& [which, view] : seen) ++(which[2] == 1 ? of_sides : counts)[view];
  for (int view = 0; view < views; ++view) {
    CHECK(std::abs(counts[view] - passes * images * 2 / views) < 60);  // of 960 draws; a deviation is 13
    CHECK(std::abs(of_sides[view] - (is_mirrored(view) ? 0 : passes * images / 2)) < 45);
    if (is_mirrored(view)) CHECK(of_sides[view] == 0);
  }
  int alike = 0, pairs = 0;
  for (const auto& [which, view] : seen)
    if (which[2] == 0) {
      ++pairs;
      alike += seen.at({which[0], which[1], 2}) == view;
    }
  CHECK(std::abs(alike - pairs / views) < 60);  // captions of an image are drawn apart
  CHECK(views_seen(data, cache, 2) != views_seen(NumberedImages(Grouping::by_length, 3), cache, 2));
}

TEST_CASE("a pass draws other views than the one before") {
  const NumberedImages data(Grouping::by_length, 10);
  const ImageList train = data.dataset->require_split("train");
  const ViewChoice choice(data.model().config, train, WordRule::unicode);
  Config odd = data.model().config;
  odd.data.views = 3;
  odd.data.side_words = "c0";
  const ViewChoice of_three(odd, train, WordRule::unicode);
  std::array<int, 3> counts{};
  for (int pass = 0; pass < 100; ++pass) ++counts[of_three(pass, {0, 0})];
  CHECK(std::abs(counts[0] - counts[2]) < 50);  // the whole and one corner; a deviation is 10
  CHECK(counts[1] == 0);
  int alike = 0;
  for (int i = 0; i < images; ++i)
    for (int c = 0; c < captions_each; ++c) alike += choice(0, {i, c}) == choice(1, {i, c});
  CHECK(alike < 15);  // of 36, of which 3.6 fall so
}

TEST_CASE("captions that are trained together see one view of their image") {
  constexpr int views = 4, passes = 40;
  for (const bool named : {false, true}) {
    const NumberedImages data(Grouping::by_image, views, named ? "w3" : "");  // what all captions of image 3 hold
    const FeatureCache cache = data.features(views);
    std::vector<int> counts(views);
    for (const auto& [which, view] : views_seen(data, cache, passes)) {
      const auto& [pass, image, caption] = which;
      ++counts[view];
      if (named && image == 3) CHECK_FALSE(is_mirrored(view));
    }
    for (const int count : counts) CHECK(std::abs(count - passes * images * captions_each / views) < 120);
  }
  const NumberedImages data(Grouping::by_image, views, "c1");  // of each image one caption names a side
  const FeatureCache cache = data.features(views);
  std::map<std::array<int, 2>, int> of_image;
  for (const auto& [which, view] : views_seen(data, cache, passes)) {
    CHECK_FALSE(is_mirrored(view));
    CHECK(of_image.try_emplace({which[0], which[1]}, view).first->second == view);
  }
  const ViewChoice choice(data.model().config, data.dataset->require_split("train"), data.dataset->captions().rule);
  CHECK(choice.unmirrored() == images * captions_each);

  Config drawn = data.model().config;  // self-critical training takes images, however they are grouped
  drawn.training.objective = Objective::self_critical;
  drawn.training.grouping = Grouping::by_length;
  const ViewChoice of_drawn(drawn, data.dataset->require_split("train"), data.dataset->captions().rule);
  for (int i = 0; i < images; ++i)
    for (int c = 0; c < captions_each; ++c) CHECK(of_drawn(3, {i, c}) == of_drawn(3, {i, 0}));
}

TEST_CASE("views do not depend on where the batches begin, but on the seed") {
  const NumberedImages data(Grouping::by_length, 10);
  const FeatureCache cache = data.features(10);
  TrainingBatches all(data.model(), *data.dataset, &cache), rest(data.model(), *data.dataset, &cache, {1, 2});
  const std::int64_t before = TrainingBatches::in_pass(data.model().config, data.dataset->require_split("train")) + 2;
  for (std::int64_t i = 0; i < before; ++i) all.next();
  for (int i = 0; i < 5; ++i) {
    const TrainingBatch a = all.next(), b = rest.next();
    CHECK(a.views == b.views);
    CHECK(a.features.to_vector<float>() == b.features.to_vector<float>());
  }
  Config other = data.model().config;
  other.training.seed = 2;
  const ImageList train = data.dataset->require_split("train");
  const ViewChoice one(data.model().config, train, WordRule::unicode), two(other, train, WordRule::unicode);
  int alike = 0;
  for (int i = 0; i < images; ++i)
    for (int c = 0; c < captions_each; ++c) alike += one(0, {i, c}) == two(0, {i, c});
  CHECK(alike < 15);  // of 36, of which 3.6 fall so

  const FeatureCache fewer = data.features(3);
  CHECK_THROWS_WITH(TrainingBatches(data.model(), *data.dataset, &fewer), Contains("has 3 views, not 10"));
}

TEST_CASE("an image is read in its view where there is no cache") {
  const NumberedImages data(Grouping::by_length, 2);
  const std::string left_and_right = data.folder / "image0.png";
  Image halves{32, 32, std::vector<std::uint8_t>(32 * 32 * 3, 0)};
  for (std::size_t i = 0; i < halves.rgb.size(); ++i) halves.rgb[i] = i / 3 % 32 < 16 ? 0 : 255;
  write_png(left_and_right, halves);
  TrainingBatches batches(data.model(), *data.dataset);
  std::array<int, 2> seen{};
  while (seen[0] == 0 || seen[1] == 0) {
    const TrainingBatch batch = batches.next();
    for (std::size_t i = 0; i < batch.images.size(); ++i) {
      if (batch.images[i]->filename != "image0.png") continue;
      const float* row = batch.pixels.data<float>() + i * 3 * 32 * 32;
      CHECK((row[0] < row[31]) == (batch.views[i] == 0));
      ++seen[batch.views[i]];
    }
  }
}
