// What a training batch brings together: the words of each row, and the features or the pixels of that row's image.

#include <algorithm>
#include <map>
#include <numeric>

#include "catch.h"
#include "glimpse/engine/random.h"
#include "glimpse/models/captioner/features.h"
#include "glimpse/models/training/training_batches.h"
#include "scratch_folder.h"

using namespace glimpse;

namespace {

constexpr int images = 12, captions_each = 3;

/// Images of one grey level each, whose captions say which one: "w7" once or more, so that lengths differ.
struct NumberedImages {
  explicit NumberedImages(Grouping grouping) {
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
    Generator generator(1);
    const ImageList train = dataset->require_split("train");
    made = make_model(config, Vocabulary::build(train, 1, dataset->captions().rule), generator);
  }

  static std::uint8_t grey(int image) { return static_cast<std::uint8_t>(10 + 20 * image); }

  /// Features whose every value is the image's number, in an order of the file's own.
  FeatureCache features() const {
    std::vector<std::string> names;
    for (int row = 0; row < images; ++row) names.push_back("image" + std::to_string(number(row)) + ".png");
    const auto encode = [](std::int64_t begin, std::int64_t end) {
      Tensor y = empty({end - begin, 4, 2});
      for (std::int64_t row = begin; row < end; ++row)
        std::fill_n(y.data<float>() + (row - begin) * 8, 8, static_cast<float>(number(row)));
      return y;
    };
    return FeatureCache::build(folder / "features", {}, names, encode, {});
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
