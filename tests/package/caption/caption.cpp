// Captions a picture: caption MODEL PICTURE
#include <glimpse/models/captioner/captioner.h>

#include <cstdio>

int main(int, char** arguments) {
  const glimpse::Captioner captioner = glimpse::Captioner::load(arguments[1]);
  const glimpse::ImageCaption best = captioner.caption(std::string(arguments[2]), {.beam = 5, .attention = true});
  std::printf("%s  (%.2f)\n", best.text().c_str(), best.score);
  for (std::size_t word = 0; word < best.words.size(); ++word)  // attention (T,grid height,grid width)
    std::printf(
        "%-12s looks at the first cell with %.3f\n", best.words[word].c_str(),
        best.attention.rows(static_cast<std::int64_t>(word), static_cast<std::int64_t>(word) + 1).data<float>()[0]);
}
