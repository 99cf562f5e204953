// Trains a captioner on the built-in scenes for a few steps: train OUTPUT_FOLDER
#include <glimpse/data/scenes.h>
#include <glimpse/models/training/train_step.h>
#include <glimpse/models/training/training_run.h>

#include <cstdio>
#include <string>

using namespace glimpse;

int main(int, char** arguments) {
  const std::string folder = arguments[1];
  Config config = read_recipe("scenes");
  config.scenes.train = 64;
  const Dataset dataset = open_dataset(config);
  const Vocabulary vocabulary = Vocabulary::build(dataset.require_split("train"), 1);
  Generator generator(1);
  CaptionModel model = make_model(config, vocabulary, generator);

  TrainStep step(model);
  TrainingBatches batches(model, dataset);
  double first = 0, last = 0;
  for (int i = 0; i < 8; ++i) {
    last = step(batches.next()).loss;
    if (i == 0) first = last;
    std::printf("step %d: loss %.3f\n", i + 1, last);
  }
  save_model(model, folder + "/model.safetensors");
  write_png(folder + "/picture.png", dataset.image(*dataset.require_split("val")[0]));
  return last < first ? 0 : 1;
}
