// Trains a network of two layers to tell two spirals apart.
#include <glimpse/engine/engine.h>
#include <cmath>
#include <cstdio>
#include <vector>

using namespace glimpse;

int main() {
  constexpr int n = 200;
  std::vector<float> points;  // (n,2)
  std::vector<float> sides;   // (n,1): -1 or 1
  for (int i = 0; i < n; ++i) {
    const float side = i % 2 ? 1.0f : -1.0f, t = 0.3f + 5.0f * i / n;
    points.insert(points.end(), {0.2f * side * t * std::cos(t), 0.2f * side * t * std::sin(t)});
    sides.push_back(side);
  }
  const Tensor x = from_vector(points, {n, 2}), y = from_vector(sides, {n, 1});

  Linear hidden(2, 32), out(32, 1);
  Adam adam(parameters(hidden, out), {.learning_rate = 3e-2f});
  double last = 1;
  for (int step = 0; step <= 500; ++step) {
    const Tensor loss = mean_square(out(tanh(hidden(x))) - y);
    loss.backward();
    adam.step();
    last = loss.item();
    if (step % 100 == 0) std::printf("step %3d  loss %.4f\n", step, last);
  }
  return last < 0.05 ? 0 : 1;
}
