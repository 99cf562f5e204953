// What a scene shows and where, by chance. All lengths are in widths of the picture.
#include <algorithm>
#include <numbers>

#include "glimpse/data/internal/scene_parts.h"

namespace glimpse::scenes {
namespace {

constexpr int shapes = 5, colours = 6;

float uniform(Generator& random, double low, double high) {
  return static_cast<float>(low + (high - low) * random.uniform());
}

bool chance(Generator& random) { return random.below(2) == 1; }

/// Colour, shape, size and turn of an object.
SceneObject make_object(bool held_out, Generator& random) {
  SceneObject object{};
  do {
    object.colour = static_cast<SceneColour>(random.below(colours));
    object.shape = static_cast<SceneShape>(random.below(shapes));
  } while (SceneDataset::is_held_out(object.colour, object.shape) != held_out);
  object.size = chance(random) ? SceneSize::large : SceneSize::small;
  object.radius = object.size == SceneSize::large ? uniform(random, 0.130, 0.145) : uniform(random, 0.085, 0.098);
  object.angle = uniform(random, -0.2, 0.2);
  return object;
}

/// Puts an object near (x,y), wholly inside the picture.
void place(SceneObject& object, double x, double y, double jitter, Generator& random) {
  const float margin = 1.4f * object.radius;  // no shape reaches farther
  object.x = std::clamp(static_cast<float>(x) + uniform(random, -jitter, jitter), margin, 1 - margin);
  object.y = std::clamp(static_cast<float>(y) + uniform(random, -jitter, jitter), margin, 1 - margin);
}

void plan_single(Plan& plan, bool held_out, Generator& random) {
  plan.column = static_cast<int>(random.below(3));
  plan.row = static_cast<int>(random.below(3));
  plan.objects = {make_object(held_out, random)};
  place(plan.objects[0], 0.2 + 0.3 * plan.column, 0.2 + 0.3 * plan.row, 0.05, random);
}

/// Two objects that differ in colour or shape, clearly beside or above each other.
void plan_pair(Plan& plan, bool held_out, Generator& random) {
  const bool held_out_first = held_out && chance(random);
  plan.objects = {make_object(held_out_first, random), make_object(held_out && !held_out_first, random)};
  while (plan.objects[0].shape == plan.objects[1].shape && plan.objects[0].colour == plan.objects[1].colour)
    plan.objects[1] = make_object(false, random);
  const double across = uniform(random, 0.35, 0.65);
  for (int i = 0; i < 2; ++i) {
    const double along = 0.25 + 0.5 * i;
    SceneObject& object = plan.objects[i];
    place(object, plan.vertical ? across : along, plan.vertical ? along : across, 0.06, random);
  }
}

/// Two or three objects alike in a row or a column.
void plan_group(Plan& plan, bool held_out, Generator& random) {
  const int count = 2 + static_cast<int>(random.below(2));
  SceneObject object = make_object(held_out, random);
  if (count == 3) object.radius = std::min(object.radius, 0.125f);  // three must fit side by side
  const double across = uniform(random, 0.25, 0.75);
  for (int i = 0; i < count; ++i) {
    const double along = count == 2 ? 0.27 + 0.46 * i : 0.175 + 0.325 * i;
    place(object, plan.vertical ? across : along, plan.vertical ? along : across, count == 2 ? 0.05 : 0.015, random);
    object.angle = uniform(random, -0.2, 0.2);
    plan.objects.push_back(object);
  }
}

}  // namespace

Plan make_plan(bool held_out, Generator& random) {
  Plan plan;
  const std::uint64_t kind = random.below(10);
  plan.kind = kind < 3 ? Kind::single : kind < 7 ? Kind::pair : Kind::group;
  plan.vertical = chance(random);
  if (plan.kind == Kind::single) plan_single(plan, held_out, random);
  if (plan.kind == Kind::pair) plan_pair(plan, held_out, random);
  if (plan.kind == Kind::group) plan_group(plan, held_out, random);
  return plan;
}

}  // namespace glimpse::scenes
