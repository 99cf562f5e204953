#include "glimpse/models/decoder/internal/initialisation.h"

#include <cmath>
#include <vector>

#include "glimpse/kernels/base/check.h"

namespace glimpse {
namespace {

using Matrix = std::vector<std::vector<double>>;

Matrix normal_matrix(std::int64_t rows, std::int64_t columns, double std, Generator& generator) {
  const Tensor x = empty({rows, columns}, DType::f64);
  fill_normal(x, 0, std, generator);
  Matrix m(static_cast<std::size_t>(rows));
  const double* values = x.data<double>();
  for (std::size_t i = 0; i < m.size(); ++i) {
    const double* row = values + static_cast<std::int64_t>(i) * columns;
    m[i].assign(row, row + columns);
  }
  return m;
}

double dot(const std::vector<double>& x, const std::vector<double>& y) {
  double sum = 0;
#pragma omp simd reduction(+ : sum)
  for (std::size_t i = 0; i < x.size(); ++i) sum += x[i] * y[i];
  return sum;
}

/// Makes the rows of a square matrix orthonormal (modified Gram-Schmidt); from normal rows, all rotations are as
/// likely.
void orthonormalise(Matrix& m) {
  for (std::size_t i = 0; i < m.size(); ++i) {
    for (std::size_t j = 0; j < i; ++j) {
      const double share = dot(m[i], m[j]);
      for (std::size_t k = 0; k < m[i].size(); ++k) m[i][k] -= share * m[j][k];
    }
    const double scale = 1 / std::sqrt(dot(m[i], m[i]));
    for (double& value : m[i]) value *= scale;
  }
}

/// Overwrites rows [row, row + rows) x columns [column, column + columns) of x (R,C): orthogonal if square, else
/// N(0, 0.01^2), as the paper's code does.
void draw_block(const Tensor& x, std::int64_t row, std::int64_t rows, std::int64_t column, std::int64_t columns,
                Generator& generator) {
  Matrix m = normal_matrix(rows, columns, rows == columns ? 1 : 0.01, generator);
  if (rows == columns) orthonormalise(m);
  float* values = x.data<float>();
  for (std::int64_t i = 0; i < rows; ++i)
    for (std::int64_t j = 0; j < columns; ++j) values[(row + i) * x.size(1) + column + j] = static_cast<float>(m[i][j]);
}

void draw_paper_weights(Decoder& decoder, Generator& generator) {
  const DecoderConfig& config = decoder.config;
  const std::int64_t hidden = config.hidden, word = config.embedding;
  Visitor biases([&](const std::string& name, Tensor& tensor, bool) {
    if (tensor.defined() && name.find("bias") != std::string::npos) tensor.fill(0);
  });
  decoder.visit(biases);
  for (const Linear* layer :
       {&decoder.projection, &decoder.key, &decoder.query, &decoder.gate, &decoder.image, &decoder.initial,
        &decoder.initial_h, &decoder.initial_c, &decoder.deep_h, &decoder.deep_context, &decoder.output,
        &decoder.sentinel.gate_h, &decoder.sentinel.key, &decoder.sentinel.context})
    if (const Tensor& w = layer->weight; w.defined()) draw_block(w, 0, w.size(0), 0, w.size(1), generator);
  fill_normal(decoder.embedding.weight, 0, 0.01, generator);
  if (decoder.score.defined()) fill_normal(decoder.score, 0, 0.01, generator);
  if (const Tensor& w = decoder.sentinel.gate_x.weight; w.defined()) {
    draw_block(w, 0, hidden, 0, word, generator);
    draw_block(w, 0, hidden, word, word, generator);
  }
  for (std::int64_t gate = 0; gate < 4; ++gate) {
    const std::int64_t context = decoder.cell.weight_ih.size(1) - word;
    draw_block(decoder.cell.weight_ih, gate * hidden, hidden, 0, word, generator);
    if (context > 0) draw_block(decoder.cell.weight_ih, gate * hidden, hidden, word, context, generator);
    draw_block(decoder.cell.weight_hh, gate * hidden, hidden, 0, hidden, generator);
  }
}

}  // namespace

void draw_weights(Decoder& decoder, Generator& generator) {
  if (!generator.draws()) return;
  if (decoder.config.weights == WeightInit::paper) return draw_paper_weights(decoder, generator);
  fill_uniform(decoder.embedding.weight, -0.1, 0.1, generator);
  if (decoder.output.weight.defined()) fill_uniform(decoder.output.weight, -0.1, 0.1, generator);
  decoder.output.bias.fill(0);
}

}  // namespace glimpse
