// Features that lie in the memory of the device: the rows of a batch are those of the cache, and train alike.

#include "cuda_test.h"
#include "glimpse/data/scenes.h"
#include "glimpse/kernels/base/error.h"
#include "scratch_folder.h"
#include "small_training.h"

using namespace glimpse;
using namespace glimpse::test;

TEST_CASE("rows of resident features are those of the cache") {
  const ScratchFolder folder;
  for (const DType dtype : {DType::f16, DType::f32}) {
    const FeatureCache cache = random_features(folder / name_of(dtype), dtype);
    const auto resident = ResidentFeatures::of(cache, Device::cuda);
    REQUIRE(resident != nullptr);
    CHECK(resident->bytes() == cache.features().bytes());
    const std::vector<std::int64_t> rows{3, 8, 0, 3};
    const Tensor found = resident->rows(from_vector(std::vector<std::int32_t>{3, 8, 0, 3}).to(Device::cuda));
    CHECK(found.shape() == Shape{4, grid_cells, grid_channels});
    CHECK(found.to_vector<float>() == cache.gather(rows).to_vector<float>());
    CHECK_THROWS_WITH(resident->rows(from_vector(std::vector<std::int32_t>{3})), Contains("rows (1) on cpu"));
  }
}

TEST_CASE("features that take too much of the device's memory stay where they are") {
  const ScratchFolder folder;
  const FeatureCache cache = random_features(folder / "features", DType::f16);
  CHECK(ResidentFeatures::of(cache, Device::cpu) == nullptr);
  const double share = static_cast<double>(cache.features().bytes()) / static_cast<double>(cuda::device_info().memory);
  CHECK(ResidentFeatures::of(cache, Device::cuda, 0.9 * share) == nullptr);
  CHECK(ResidentFeatures::of(cache, Device::cuda, 1.1 * share) != nullptr);
}

TEST_CASE("batches of resident features train as those that bring their own") {
  const ScratchFolder folder;
  const FeatureCache cache = random_features(folder / "features", DType::f16);
  const auto resident = ResidentFeatures::of(cache, Device::cuda);
  const auto train = [&](bool from_store) {
    CaptionModel model = make_tutorial_model(Device::cuda);
    TrainStep step(model);
    for (const std::vector<std::int64_t>& rows : {std::vector<std::int64_t>{2, 7, 5}, {0, 5, 8}}) {
      TrainingBatch batch = make_batch({4, 6, 5});
      batch.features = from_store ? Tensor() : cache.gather(rows);
      if (from_store) {
        batch.store = resident;
        batch.tokens.stored = from_vector(std::vector<std::int32_t>(rows.begin(), rows.end()));
      }
      CHECK(step(batch).updated);
    }
    std::vector<double> values;
    for (const NamedTensor& t : step.tensors())
      for (const double value : t.tensor.to_vector<double>()) values.push_back(value);
    return values;
  };
  CHECK(train(true) == train(false));
}

TEST_CASE("each image of a training batch on the device has its own features") {
  const ScratchFolder folder;
  Config config = read_recipe("scenes");
  config.training.batch = 7;
  const Dataset dataset(SceneDataset(1, {6, 2, 2}));
  const ImageList train = dataset.require_split("train");
  Generator generator(1);
  CaptionModel model = make_model(config, Vocabulary::build(train, 1), generator);
  move_to(model, Device::cuda);
  std::vector<std::string> names;
  for (const CaptionedImage* image : train) names.insert(names.begin(), image->filename);
  const FeatureCache cache =
      FeatureCache::build(folder / "features", {}, names,
                          [](std::int64_t begin, std::int64_t end) {  // every value is the row
                            Tensor y = empty({end - begin, 4, 2});
                            for (std::int64_t row = begin; row < end; ++row)
                              y.rows(row - begin, row - begin + 1).fill(static_cast<double>(row));
                            return y;
                          },
                          {.progress = {}});
  TrainingBatches batches(model, dataset, &cache);
  CHECK(batches.resident_bytes() == cache.features().bytes());
  for (int i = 0; i < 8; ++i) {
    const TrainingBatch batch = batches.next();
    CHECK(!batch.features.defined());
    REQUIRE(batch.store != nullptr);
    const TokenBatch tokens = batch.tokens.to(Device::cuda);
    const std::vector<float> features = batch.store->rows(tokens.stored).to_vector<float>();
    REQUIRE(features.size() == 8 * batch.images.size());
    for (std::size_t image = 0; image < batch.images.size(); ++image)
      CHECK(features[8 * image + 7] == static_cast<float>(cache.row(batch.images[image]->filename)));
  }
}
