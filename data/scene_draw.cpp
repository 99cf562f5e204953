// Drawing by distance: the signed distance of a pixel to an outline gives its coverage, its border and its shadow.
#include <algorithm>
#include <cmath>
#include <numbers>

#include "glimpse/data/internal/scene_parts.h"

namespace glimpse::scenes {
namespace {

struct Point {
  float x, y;
};

struct Colour {
  float red, green, blue;
};

Colour paint(SceneColour colour) {
  switch (colour) {
    case SceneColour::red:
      return {0.85f, 0.13f, 0.15f};
    case SceneColour::orange:
      return {0.97f, 0.47f, 0.04f};
    case SceneColour::yellow:
      return {0.98f, 0.87f, 0.12f};
    case SceneColour::green:
      return {0.15f, 0.63f, 0.26f};
    case SceneColour::blue:
      return {0.13f, 0.38f, 0.86f};
    default:
      return {0.55f, 0.20f, 0.70f};
  }
}

/// Corners at `radii[i % radii.size()]`, evenly spread, the first one on top.
std::vector<Point> ring(int corners, std::initializer_list<float> radii, float turn = 0) {
  std::vector<Point> result;
  for (int i = 0; i < corners; ++i) {
    const float angle = turn + 2 * std::numbers::pi_v<float> * static_cast<float>(i) / static_cast<float>(corners);
    const float radius = radii.begin()[static_cast<std::size_t>(i) % radii.size()];
    result.push_back({radius * std::sin(angle), -radius * std::cos(angle)});
  }
  return result;
}

/// The outline around (0,0) in units of the object's radius; sized so that all shapes look about equally large.
std::vector<Point> outline(SceneShape shape) {
  switch (shape) {
    case SceneShape::square:
      return ring(4, {1.24f}, std::numbers::pi_v<float> / 4);
    case SceneShape::triangle: {
      std::vector<Point> corners = ring(3, {1.36f});
      for (Point& corner : corners) corner.y += 0.22f;  // looks centred
      return corners;
    }
    case SceneShape::star:
      return ring(10, {1.32f, 0.6f});
    case SceneShape::cross: {
      const float a = 0.37f, b = 1.12f;
      return {{-a, -b}, {a, -b}, {a, -a}, {b, -a}, {b, a},   {a, a},
              {a, b},   {-a, b}, {-a, a}, {-b, a}, {-b, -a}, {-a, -a}};
    }
    default:
      return ring(32, {1.0f});  // a circle to half a hundredth of its radius
  }
}

/// Distance of p to a closed outline, negative inside.
float signed_distance(const std::vector<Point>& corners, Point p) {
  float nearest = 1e30f;
  bool inside = false;
  for (std::size_t i = 0, j = corners.size() - 1; i < corners.size(); j = i++) {
    const Point a = corners[i], b = corners[j];
    const Point edge{b.x - a.x, b.y - a.y}, to{p.x - a.x, p.y - a.y};
    const float along = std::clamp((to.x * edge.x + to.y * edge.y) / (edge.x * edge.x + edge.y * edge.y), 0.0f, 1.0f);
    nearest = std::min(nearest, std::hypot(to.x - along * edge.x, to.y - along * edge.y));
    if ((a.y > p.y) != (b.y > p.y) && p.x < edge.x * to.y / edge.y + a.x) inside = !inside;
  }
  return inside ? -nearest : nearest;
}

/// A picture in floats, [0,1].
struct Canvas {
  int size;
  std::vector<Colour> pixels;

  Colour& at(int x, int y) { return pixels[y * size + x]; }
  void blend(int x, int y, Colour colour, float share) {
    Colour& pixel = at(x, y);
    pixel.red += share * (colour.red - pixel.red);
    pixel.green += share * (colour.green - pixel.green);
    pixel.blue += share * (colour.blue - pixel.blue);
  }
};

/// A dull tint with a soft slope, cloudy patches and grain.
void draw_ground(Canvas& canvas, Generator& random) {
  const auto uniform = [&](double low, double high) {
    return static_cast<float>(low + (high - low) * random.uniform());
  };
  const float level = uniform(0.62, 0.9);
  const Colour tint{level + uniform(-0.07, 0.07), level + uniform(-0.07, 0.07), level + uniform(-0.07, 0.07)};
  const float angle = uniform(0, 2 * std::numbers::pi), slope = uniform(0.02, 0.1);
  constexpr int knots = 6;  // patches: random values on a coarse grid, bilinear between
  float patch[knots][knots];
  for (auto& row : patch)
    for (float& value : row) value = uniform(-0.05, 0.05);
  const float grain = uniform(0.01, 0.035);
  for (int y = 0; y < canvas.size; ++y) {
    for (int x = 0; x < canvas.size; ++x) {
      const float u = static_cast<float>(x) / static_cast<float>(canvas.size),
                  v = static_cast<float>(y) / static_cast<float>(canvas.size);
      const float gx = u * (knots - 1), gy = v * (knots - 1);
      const int i = static_cast<int>(gx), j = static_cast<int>(gy);
      const float fx = gx - static_cast<float>(i), fy = gy - static_cast<float>(j);
      const float cloud = (1 - fy) * ((1 - fx) * patch[j][i] + fx * patch[j][i + 1]) +
                          fy * ((1 - fx) * patch[j + 1][i] + fx * patch[j + 1][i + 1]);
      const float shade = cloud + slope * ((u - 0.5f) * std::cos(angle) + (v - 0.5f) * std::sin(angle)) +
                          grain * static_cast<float>(random.normal());
      canvas.at(x, y) = {tint.red + shade, tint.green + shade, tint.blue + shade};
    }
  }
}

void draw_object(Canvas& canvas, SceneObject& object, Generator& random) {
  const float size = static_cast<float>(canvas.size);
  std::vector<Point> corners = outline(object.shape);
  const float radius = object.radius * size, c = std::cos(object.angle), s = std::sin(object.angle);
  for (Point& p : corners)
    p = {object.x * size + radius * (c * p.x - s * p.y), object.y * size + radius * (s * p.x + c * p.y)};
  Colour colour = paint(object.colour);
  for (float* channel : {&colour.red, &colour.green, &colour.blue})
    *channel += static_cast<float>(0.06 * random.uniform() - 0.03);
  const Colour border{0.45f * colour.red, 0.45f * colour.green, 0.45f * colour.blue};
  const float shadow_offset = 0.022f * size, shadow_width = 0.04f * size;
  object.mask = {canvas.size, canvas.size, std::vector<std::uint8_t>(canvas.pixels.size(), 0)};
  const float reach = 1.5f * radius + shadow_offset + shadow_width;  // nothing is drawn farther from the centre
  const auto first = [&](float centre) { return std::max(0, static_cast<int>(centre * size - reach)); };
  const auto last = [&](float centre) { return std::min(canvas.size - 1, static_cast<int>(centre * size + reach)); };
  for (int y = first(object.y); y <= last(object.y); ++y) {
    for (int x = first(object.x); x <= last(object.x); ++x) {
      const Point p{static_cast<float>(x) + 0.5f, static_cast<float>(y) + 0.5f};
      const float shadow = signed_distance(corners, {p.x - shadow_offset, p.y - shadow_offset});
      canvas.blend(x, y, {0, 0, 0}, 0.3f * std::clamp(0.5f - shadow / shadow_width, 0.0f, 1.0f));
      const float distance = signed_distance(corners, p);
      const float light = 1.06f - 0.16f * (p.y - object.y * size + radius) / (2 * radius);  // from above
      canvas.blend(x, y, border, std::clamp(0.5f - distance, 0.0f, 1.0f));
      canvas.blend(x, y, {light * colour.red, light * colour.green, light * colour.blue},
                   std::clamp(-0.4f - distance, 0.0f, 1.0f));
      object.mask.inside[y * canvas.size + x] = distance <= 0;
    }
  }
}

}  // namespace

Image draw(std::vector<SceneObject>& objects, int size, Generator& random) {
  Canvas canvas{size, std::vector<Colour>(static_cast<std::size_t>(size) * static_cast<std::size_t>(size))};
  draw_ground(canvas, random);
  for (SceneObject& object : objects) draw_object(canvas, object, random);
  Image image{size, size, {}};
  image.rgb.reserve(canvas.pixels.size() * 3);
  for (const Colour& pixel : canvas.pixels)
    for (const float value : {pixel.red, pixel.green, pixel.blue})
      image.rgb.push_back(static_cast<std::uint8_t>(std::lround(255 * std::clamp(value, 0.0f, 1.0f))));
  return image;
}

}  // namespace glimpse::scenes
