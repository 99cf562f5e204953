#include "glimpse/engine/autograd.h"

#include <algorithm>
#include <atomic>
#include <queue>

#include "glimpse/engine/internal/variable.h"
#include "glimpse/engine/ops.h"
#include "glimpse/kernels/base/check.h"

namespace glimpse {
namespace {

thread_local bool recording = true;
std::atomic<std::uint64_t> next_order{1};

/// Whether nobody but `x` sees its memory, which may then be taken or written without a copy.
bool sole_owner(const Tensor& x) { return x.storage().use_count() == 1; }

/// y += x without history.
void accumulate(Tensor& y, const Tensor& x) {
  if (!y.defined())
    y = x;
  else if (sole_owner(y))
    add_into(y, x);
  else
    y = y + x;
}

void accumulate_leaf(Variable& leaf, const Tensor& dx) {
  if (leaf.grad.defined())
    add_into(leaf.grad, dx);
  else
    leaf.grad = sole_owner(dx) ? dx.detach() : dx.clone();
}

/// Nodes whose gradients wait to be passed on, the latest op first. Each is on it once.
class Queue {
 public:
  ~Queue() {  // not empty where a backward function threw
    while (!nodes_.empty()) {
      const std::shared_ptr<Node> node = pop();
      for (Tensor& dy : node->dy) dy = Tensor();
    }
  }
  bool empty() const { return nodes_.empty(); }
  void push(const std::shared_ptr<Node>& node) {
    if (node->queued) return;
    node->queued = true;
    nodes_.push(node);
  }
  std::shared_ptr<Node> pop() {
    std::shared_ptr<Node> node = nodes_.top();
    nodes_.pop();
    node->queued = false;
    return node;
  }

 private:
  struct Earlier {
    bool operator()(const std::shared_ptr<Node>& a, const std::shared_ptr<Node>& b) const {
      return a->order < b->order;
    }
  };
  std::priority_queue<std::shared_ptr<Node>, std::vector<std::shared_ptr<Node>>, Earlier> nodes_;
};

/// Runs a node's backward function and frees all that it held.
Gradients run_backward(Node& node) {
  check(static_cast<bool>(node.backward), "backward: the graph of {} was already walked and freed", node.name);
  const Backward backward = std::move(node.backward);
  node.backward = nullptr;
  const Gradients dy = std::move(node.dy);
  node.dy.clear();
  return backward(dy);
}

void walk(const std::shared_ptr<Node>& last) {
  NoGrad no_grad;
  Queue queue;
  queue.push(last);
  while (!queue.empty()) {
    const std::shared_ptr<Node> node = queue.pop();
    Gradients dx = run_backward(*node);
    const auto inputs = std::move(node->inputs);
    node->inputs.clear();
    check(dx.size() == inputs.size(), "backward of {}: {} gradients for {} inputs", node->name, dx.size(),
          inputs.size());
    for (std::size_t i = 0; i < inputs.size(); ++i) {
      if (!inputs[i] || !dx[i].defined()) continue;
      Variable& input = *inputs[i];
      check(dx[i].shape() == input.shape && dx[i].dtype() == input.dtype,
            "backward of {}: gradient {} is {} {}, its input {} {}", node->name, i, name_of(dx[i].dtype()),
            dx[i].shape(), name_of(input.dtype), input.shape);
      const Tensor gradient = std::move(dx[i]);
      if (!input.node) {
        accumulate_leaf(input, gradient);
        continue;
      }
      check(static_cast<bool>(input.node->backward), "backward: the graph of {} was already walked and freed",
            input.node->name);
      accumulate(input.node->dy[input.slot], gradient);
      queue.push(input.node);
    }
  }
}

}  // namespace

Variable::~Variable() {
  // The list is on the stack of the outermost call; the calls inside it only append.
  static thread_local std::vector<std::shared_ptr<Node>>* doomed = nullptr;
  if (!node) return;
  if (doomed) {
    doomed->push_back(std::move(node));
    return;
  }
  std::vector<std::shared_ptr<Node>> list;
  doomed = &list;
  list.push_back(std::move(node));
  while (!list.empty()) {
    const std::shared_ptr<Node> last = std::move(list.back());
    list.pop_back();
  }
  doomed = nullptr;
}

bool grad_enabled() { return recording; }
NoGrad::NoGrad() : before_(recording) { recording = false; }
NoGrad::~NoGrad() { recording = before_; }

namespace {

template <class Inputs>
bool any_requires_grad(const Inputs& inputs) {
  return recording && std::any_of(inputs.begin(), inputs.end(), [](const Tensor& x) { return x.requires_grad(); });
}

}  // namespace

bool needs_gradient(std::initializer_list<Tensor> inputs) { return any_requires_grad(inputs); }

std::vector<Tensor> differentiable(const char* name, std::vector<Tensor> y, const std::vector<Tensor>& inputs,
                                   Backward backward) {
  if (!any_requires_grad(inputs)) return y;
  auto node = std::make_shared<Node>();
  node->name = name;
  node->order = next_order++;
  node->backward = std::move(backward);
  node->dy.resize(y.size());
  for (const Tensor& x : inputs) node->inputs.push_back(Variable::of(x));
  for (std::size_t slot = 0; slot < y.size(); ++slot) {
    auto variable = std::make_shared<Variable>(y[slot]);
    variable->node = node;
    variable->slot = slot;
    Variable::attach(y[slot], std::move(variable));
  }
  return y;
}

std::vector<Tensor> differentiable(const char* name, std::vector<Tensor> y, std::initializer_list<Tensor> inputs,
                                   Backward backward) {
  return differentiable(name, std::move(y), std::vector<Tensor>(inputs), std::move(backward));
}

void Tensor::backward() const {
  check(defined() && numel() == 1, "backward: a scalar is needed, got {}",
        defined() ? shape_.str() : "an undefined tensor");
  backward(full(shape_, 1.0, dtype_, device()));
}

void Tensor::backward(const Tensor& dy) const {
  check(requires_grad(), "backward: nothing here requires a gradient");
  check(dy.defined() && dy.shape() == shape_ && dy.dtype() == dtype_, "backward: the gradient must be {} {}",
        name_of(dtype_), shape_);
  if (!variable_->node) {
    accumulate_leaf(*variable_, dy.clone());
    return;
  }
  const std::shared_ptr<Node>& node = variable_->node;
  check(static_cast<bool>(node->backward), "backward: the graph of {} was already walked and freed", node->name);
  accumulate(node->dy[variable_->slot], dy);
  walk(node);
}

bool Tensor::requires_grad() const { return variable_ != nullptr; }

Tensor& Tensor::set_requires_grad(bool value) {
  check(defined(), "requires_grad: undefined tensor");
  check(!variable_ || !variable_->node, "requires_grad: only leaves can be changed; detach() first");
  check(dtype_ == DType::f32 || dtype_ == DType::f64, "requires_grad: {} cannot carry gradients", name_of(dtype_));
  if (!value)
    variable_ = nullptr;
  else if (!variable_)
    variable_ = std::make_shared<Variable>(*this);
  return *this;
}

Tensor Tensor::grad() const { return variable_ ? variable_->grad : Tensor(); }

void Tensor::set_grad(const Tensor& gradient) const {
  check(variable_ && !variable_->node, "set_grad: not a leaf that requires a gradient");
  check(gradient.defined() && gradient.shape() == shape_ && gradient.dtype() == dtype_ && gradient.device() == device(),
        "set_grad: the gradient must be {} {}", name_of(dtype_), shape_);
  variable_->grad = gradient.detach();
}

void Tensor::clear_grad() const {
  if (variable_) variable_->grad = Tensor();
}

}  // namespace glimpse
