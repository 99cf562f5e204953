#!/usr/bin/env python3
"""Times in PyTorch what bench_kernels times in Glimpse: the rows of its JSON file, on the same kind of device.

  bench_kernels --json glimpse.json
  python bench/torch_kernels.py --like glimpse.json --json torch.json
  python bench/compare.py glimpse.json torch.json

Each row is written as a good PyTorch user would: library functions where there are any (F.softmax, fused Adam, ATen's own
backward functions), else formulas that torch.compile can fuse. Every row is timed in up to four ways: `eager`,
`compiled` (torch.compile), and on a GPU both captured as a CUDA graph and replayed (`graph`, `compiled graph`). Buffers
rotate as in bench_kernels, so that no call finds its data in a cache; on a GPU times come from events.

Needs: pip install torch. torch.compile on a CPU needs a C++ compiler.
"""
import argparse
import json
import math
import re
import statistics
import sys
import time
from pathlib import Path

import torch
import torch.nn.functional as F

aten = torch.ops.aten
DTYPES = {"f32": torch.float32, "bf16": torch.bfloat16}


class Row:
    """Inputs and functions of one row. `functions` maps a name to f(*inputs); eager forms come first."""

    def __init__(self, functions, *inputs):
        self.functions = functions if isinstance(functions, dict) else {"eager": functions}
        self.inputs = inputs

    def bytes(self):
        return sum(x.numel() * x.element_size() for x in self.inputs if torch.is_tensor(x))


class Maker:
    """Random arrays of a row's type and device, and the rows themselves: one method a kernel."""

    def __init__(self, device, dtype):
        self.device, self.dtype = device, dtype

    def normal(self, *shape, dtype=None):
        return torch.randn(*shape, device=self.device).to(dtype or self.dtype)

    def words(self, n, limit):
        """As unevenly frequent as in language: word w about in proportion to 1 / (w + 1)."""
        u = torch.rand(n, device=self.device)
        return (limit ** u - 1).clamp(max=limit - 1).long()

    # Attention: keys (B,L,A), features (B,L,D), score (A), query (B,Q,A), alpha (B,Q,L).

    def attention_arrays(self, B, L, A, D, Q):
        return self.normal(B, L, A), self.normal(B, L, D), self.normal(A), self.normal(B, Q, A)

    def attention_forward(self, **sizes):
        def run(keys, features, score, query):
            activated = torch.tanh(keys.unsqueeze(1) + query.unsqueeze(2))
            alpha = torch.softmax((activated @ score).float(), -1)
            return alpha, torch.bmm(alpha.to(features.dtype), features)
        return Row(run, *self.attention_arrays(**sizes))

    def attention_backward(self, B, L, A, D, Q):
        def run(keys, features, score, query, alpha, dcontext):
            g = torch.bmm(dcontext, features.transpose(1, 2)).float()
            descore = alpha * (g - (alpha * g).sum(-1, keepdim=True))
            activated = torch.tanh(keys.unsqueeze(1) + query.unsqueeze(2))
            slope = 1 - activated * activated
            dquery = torch.einsum("bql,bqla->bqa", descore.to(slope.dtype), slope) * score
            return descore, dquery
        alpha = torch.softmax(self.normal(B, Q, L, dtype=torch.float32), -1)
        return Row(run, *self.attention_arrays(B, L, A, D, Q), alpha, self.normal(B, Q, D))

    def attention_backward_keys(self, B, L, A, D, Q):
        def run(keys, score, query, descore):
            activated = torch.tanh(keys.unsqueeze(1) + query.unsqueeze(2))
            weighted = descore.unsqueeze(3).to(activated.dtype)
            dkeys = (weighted * (1 - activated * activated)).sum(1) * score
            return dkeys, (weighted * activated).sum((0, 1, 2))
        return Row(run, self.normal(B, L, A), self.normal(A), self.normal(B, Q, A),
                   self.normal(B, Q, L, dtype=torch.float32))

    def attention_backward_features(self, B, L, A, D, Q):
        def run(alpha, dcontext):
            return torch.bmm(alpha.to(dcontext.dtype).transpose(1, 2), dcontext)
        return Row(run, torch.softmax(self.normal(B, Q, L, dtype=torch.float32), -1), self.normal(B, Q, D))

    # The recurrence.

    def lstm_forward(self, B, H):
        def run(gates, c):
            i, f, g, o = gates.float().chunk(4, 1)
            i, f, g, o = torch.sigmoid(i), torch.sigmoid(f), torch.tanh(g), torch.sigmoid(o)
            c_next = f * c + i * g
            return torch.cat([i, f, g, o], 1).to(gates.dtype), c_next, (o * torch.tanh(c_next)).to(gates.dtype)
        functions = {"eager": run}
        if self.device.type == "cuda" and self.dtype == torch.float32:
            none = torch.zeros(B, 4 * H, device=self.device)  # it adds two parts of the gates, as nn.LSTMCell needs it
            functions["library"] = lambda gates, c: torch._thnn_fused_lstm_cell(gates, none, c)
        return Row(functions, self.normal(B, 4 * H), self.normal(B, H, dtype=torch.float32))

    def lstm_backward(self, B, H):
        def run(activated, c, c_next, dh, dc_next):
            i, f, g, o = activated.float().chunk(4, 1)
            dh, t = dh.float(), torch.tanh(c_next)
            dc = dc_next + dh * o * (1 - t * t)
            dgates = torch.cat([dc * g * i * (1 - i), dc * c * f * (1 - f), dc * i * (1 - g * g), dh * t * o * (1 - o)], 1)
            return dgates.to(activated.dtype), dc * f
        wide = dict(dtype=torch.float32)
        return Row(run, torch.sigmoid(self.normal(B, 4 * H)), self.normal(B, H, **wide), self.normal(B, H, **wide),
                   self.normal(B, H), self.normal(B, H, **wide))

    def gate_forward(self, Q, D):
        def run(gate, bias, context):
            gate = torch.sigmoid(gate + bias)
            return gate, gate * context
        return Row(run, self.normal(Q, D), self.normal(D), self.normal(Q, D))

    def gate_backward(self, Q, D):
        def run(gate, context, dgated):
            return gate * dgated, dgated * context * gate * (1 - gate)
        return Row(run, torch.sigmoid(self.normal(Q, D)), self.normal(Q, D), self.normal(Q, D))

    # Softmax.

    def softmax_forward(self, rows, n):
        return Row(lambda x: torch.softmax(x, -1), self.normal(rows, n))

    def log_softmax_forward(self, rows, n):
        return Row(lambda x: torch.log_softmax(x, -1), self.normal(rows, n))

    def softmax_backward(self, rows, n):
        return Row(lambda y, dy: aten._softmax_backward_data(dy, y, -1, y.dtype),
                   torch.softmax(self.normal(rows, n), -1), self.normal(rows, n))

    def log_softmax_backward(self, rows, n):
        return Row(lambda y, dy: aten._log_softmax_backward_data(dy, y, -1, y.dtype),
                   torch.log_softmax(self.normal(rows, n), -1), self.normal(rows, n))

    # The vocabulary.

    def cross_entropy_forward(self, N, V):
        return Row(lambda x, target: F.cross_entropy(x, target, reduction="none"), self.normal(N, V), self.words(N, V))

    def cross_entropy_backward(self, N, V):
        def run(x, target, log_sum):
            p = torch.exp(x - log_sum.unsqueeze(1)) * (1 / N)
            return p.scatter_add(1, target.unsqueeze(1), torch.full_like(target, -1 / N, dtype=p.dtype).unsqueeze(1))
        logits = self.normal(N, V)
        return Row(run, logits, self.words(N, V), torch.logsumexp(logits, 1))

    def log_softmax_topk(self, rows, V, k):
        def run(x):
            value, index = x.topk(k, -1)
            return value - torch.logsumexp(x, -1, keepdim=True), index
        return Row(run, self.normal(rows, V))

    def embedding_forward(self, N, V, E):
        return Row(lambda table, index: F.embedding(index, table), self.normal(V, E), self.words(N, V))

    def embedding_backward(self, N, V, E):
        return Row(lambda dy, index: aten.embedding_dense_backward(dy, index, V, -1, False), self.normal(N, E),
                   self.words(N, V))

    # Element-wise functions, sums, copies.

    def relu(self, n):
        return Row(torch.relu, self.normal(n))

    def tanh(self, n):
        return Row(torch.tanh, self.normal(n))

    def sigmoid(self, n):
        return Row(torch.sigmoid, self.normal(n))

    def relu_backward(self, n):
        return Row(lambda y, dy: aten.threshold_backward(dy, y, 0), self.normal(n), self.normal(n))

    def tanh_backward(self, n):
        return Row(lambda y, dy: aten.tanh_backward(dy, y), self.normal(n), self.normal(n))

    def add(self, rows, n):
        return Row(torch.add, self.normal(rows, n), self.normal(rows, n))

    def multiply(self, rows, n):
        return Row(torch.mul, self.normal(rows, n), self.normal(rows, n))

    def add_bias(self, rows, n):
        return Row(torch.add, self.normal(rows, n), self.normal(n))

    def dropout(self, n):
        return Row(lambda x: F.dropout(x, 0.5, True), self.normal(n))

    def reduce_sum(self, outer, n, inner):
        return Row(lambda x: x.mean(1), self.normal(outer, n, inner))

    def channels_last(self, B, C, P):
        return Row(lambda x: x.transpose(1, 2).contiguous(), self.normal(B, C, P))

    def convert_to_bf16(self, n):
        return Row(lambda x: x.to(torch.bfloat16), self.normal(n))

    def convert_to_f32(self, n):
        return Row(lambda x: x.to(torch.float32), self.normal(n))

    def image_normalize(self, images, pixels):
        mean, std = (torch.tensor(v, device=self.device).view(3, 1) for v in ((0.485, 0.456, 0.406), (0.229, 0.224, 0.225)))
        return Row(lambda rgb: ((rgb.transpose(1, 2) / 255 - mean) / std).contiguous(),
                   torch.randint(256, (images, pixels, 3), device=self.device, dtype=torch.uint8))

    def adam_step(self, n, with_copy=False):
        """Clips by value and updates. The gradient is not set to zero, which PyTorch leaves to the next backward pass."""
        step = torch.zeros((), device=self.device)

        def run(p, g, m, v):
            g.clamp_(-0.8, 0.8)
            step.add_(1)
            torch._fused_adam_([p], [g], [m], [v], [], [step], lr=1e-3, beta1=0.9, beta2=0.999, weight_decay=0.0,
                               eps=1e-8, amsgrad=False, maximize=False)

        def fused(p, g, m, v):
            run(p, g, m, v)
            return p.to(torch.bfloat16) if with_copy else None

        def formula(p, g, m, v):  # what torch.compile can fuse
            g = g.clamp(-0.8, 0.8)
            m.lerp_(g, 0.1)
            v.mul_(0.999).addcmul_(g, g, value=0.001)
            p.addcdiv_(m, (v / 0.003).sqrt() + 1e-8, value=-1e-3 / 0.271)
            return p.to(torch.bfloat16) if with_copy else None
        return Row({"library": fused, "eager": formula}, self.normal(n), self.normal(n), self.normal(n),
                   self.normal(n).square())

    def adam_step_bf16_copy(self, n):
        return self.adam_step(n, True)

    def gemm(self, m, n, k):
        return Row(F.linear, self.normal(m, k), self.normal(n, k))

    gemm_tf32 = gemm


def set_tf32(on):
    torch.backends.cuda.matmul.allow_tf32 = on
    torch.backends.cudnn.allow_tf32 = on


class Clock:
    def __init__(self, device, samples, sample_ms):
        self.cuda, self.samples, self.sample_ms = device.type == "cuda", samples, sample_ms

    def ms(self, work):
        if self.cuda:
            begin, end = (torch.cuda.Event(enable_timing=True) for _ in range(2))
            begin.record()
            work()
            end.record()
            end.synchronize()
            return begin.elapsed_time(end)
        begin = time.perf_counter()
        work()
        return (time.perf_counter() - begin) * 1e3

    def calls(self, call):
        """Calls that make a sample."""
        call(0)
        calls = 1
        while True:
            ms = self.ms(lambda: [call(i) for i in range(calls)])
            if ms >= self.sample_ms or calls >= 2000:
                return calls
            calls = min(2000, max(calls + 1, math.ceil(calls * min(10, 1.2 * self.sample_ms / max(ms, 1e-6)))))

    def median_us(self, call, calls):
        times, number = [], 0
        for _ in range(self.samples):
            first = number
            number += calls
            times.append(self.ms(lambda: [call(i) for i in range(first, first + calls)]))
        return statistics.median(times) * 1e3 / calls

    def replayed_us(self, call, calls):
        stream = torch.cuda.Stream()
        stream.wait_stream(torch.cuda.current_stream())
        with torch.cuda.stream(stream):
            for i in range(3):
                call(i)
        torch.cuda.current_stream().wait_stream(stream)
        graph = torch.cuda.CUDAGraph()
        with torch.cuda.graph(graph):
            for i in range(calls):
                call(i)
        for _ in range(3):
            graph.replay()
        return statistics.median(self.ms(graph.replay) for _ in range(self.samples)) * 1e3 / calls


def measure(row, clock, rotated, variants):
    """Microseconds by variant."""
    sets = [row.inputs]
    while len(sets) < min(1000, math.ceil(rotated / max(row.bytes(), 1))):
        sets.append(tuple(x.clone() if torch.is_tensor(x) else x for x in row.inputs))
    result = {}
    forms = dict(row.functions)
    if "compiled" in variants:
        torch._dynamo.reset()
        forms["compiled"] = torch.compile(row.functions.get("eager"), dynamic=False)
    for name, function in forms.items():
        def call(i, function=function):
            return function(*sets[i % len(sets)])
        try:
            with torch.no_grad():
                calls = clock.calls(call)
                if name in variants or name == "library":
                    result[name] = clock.median_us(call, calls)
                if "graph" in variants and clock.cuda:
                    result["graph" if name == "eager" else f"{name} graph"] = clock.replayed_us(call, min(calls, 200))
        except Exception as error:  # one form that does not exist must not hide the others
            print(f"  {name}: {type(error).__name__}: {str(error).splitlines()[0] if str(error) else ''}", file=sys.stderr)
    return result


def parse():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--like", required=True, help="JSON file of bench_kernels, whose rows are timed")
    parser.add_argument("--json", required=True, help="file for the results")
    parser.add_argument("--device", default="cuda" if torch.cuda.is_available() else "cpu", choices=["cpu", "cuda"])
    parser.add_argument("--only", default="", help="regular expression on kernel and sizes")
    parser.add_argument("--variants", nargs="+", default=["eager", "compiled", "graph"],
                        choices=["eager", "compiled", "graph"])
    parser.add_argument("--samples", type=int, default=20)
    parser.add_argument("--sample-ms", type=float, default=1)
    parser.add_argument("--threads", type=int, default=0)
    parser.add_argument("--seconds", type=float, default=math.inf, help="begin no row after so many")
    return parser.parse_args()


def main():
    options = parse()
    like = json.loads(Path(options.like).read_text())
    if like.get("what") != "kernels":
        sys.exit(f"{options.like} is not a result of bench_kernels")
    device = torch.device(options.device)
    if options.threads:
        torch.set_num_threads(options.threads)
    began = time.monotonic()
    clock = Clock(device, options.samples, options.sample_ms)
    rows = []
    write(options.json, device, rows)
    for like_row in like["rows"]:
        title = like_row["kernel"] + " " + " ".join(f"{k}={v}" for k, v in like_row["sizes"].items())
        make = getattr(Maker(device, DTYPES[like_row["dtype"]]), like_row["kernel"], None)
        if make is None or not re.search(options.only, title):
            continue
        if time.monotonic() - began > options.seconds:
            print(f"{options.seconds:g} seconds are over: from {title} on, rows have no time", file=sys.stderr)
            break
        set_tf32(like_row["kernel"].endswith("_tf32"))
        us = measure(make(**like_row["sizes"]), clock, like["rotated_mb"] * 1e6, options.variants)
        print(f"{title} {like_row['dtype']}: " + ", ".join(f"{k} {v:.2f} us" for k, v in us.items()), flush=True)
        rows.append(dict(kernel=like_row["kernel"], sizes=like_row["sizes"], dtype=like_row["dtype"], us=us))
        if device.type == "cuda":
            torch.cuda.empty_cache()
        write(options.json, device, rows)  # after each: what is there when time runs out counts


def write(path, device, rows):
    name = torch.cuda.get_device_name() if device.type == "cuda" else f"cpu x{torch.get_num_threads()}"
    result = dict(what="kernels", source=f"PyTorch {torch.__version__}", device=name, rows=rows)
    temporary = Path(path + ".part")
    temporary.write_text(json.dumps(result, indent=1) + "\n")
    temporary.replace(path)


if __name__ == "__main__":
    main()
