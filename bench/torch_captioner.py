#!/usr/bin/env python3
"""The captioner in plain PyTorch: what Glimpse's speed is compared with.

  torch_captioner.py train   [--style hoisted|tutorial] [--compile]   training steps of the decoder
  torch_captioner.py beam    [--beam 5 --images 32 --end-bias 3]      beam search, batched and image by image
  torch_captioner.py encoder [--encoder densenet169 --batch 32]       images through a CNN with random weights

Flags, model, work and the one JSON line printed are those of bench_train, bench_beam and bench_encoder. Nothing here is
made slow on purpose. `hoisted` is PyTorch as a careful user writes it: keys projected once, logits and loss once over all
words, no row computed after its caption has ended, fused Adam. `tutorial` is what is mostly found: keys projected again at
every step, logits step by step. The encoder is timed in PyTorch's three usual forms: as loaded, in channels-last memory
format, and frozen and optimised by TorchScript; the best one counts.

Needs: pip install torch torchvision (torchvision for `encoder` alone). Measured with torch 2.15, torchvision 0.29.
"""
import argparse
import json
import math
import statistics
import time
import warnings

import torch
import torch.nn.functional as F
from torch import nn

START, END, FIRST_WORD = 1, 2, 4


class Captioner(nn.Module):
    """Soft attention with relu scores, a gate of one value a channel, linear output and initial state.

    B captions, L locations, D channels, A = E = H = dim, V words.
    """

    def __init__(self, vocab, channels, dim):
        super().__init__()
        self.embedding = nn.Embedding(vocab, dim)
        self.key = nn.Linear(channels, dim)
        self.query = nn.Linear(dim, dim, bias=False)
        self.score = nn.Linear(dim, 1, bias=False)
        self.gate = nn.Linear(dim, channels)
        self.cell = nn.LSTMCell(dim + channels, dim)
        self.initial_h = nn.Linear(channels, dim)
        self.initial_c = nn.Linear(channels, dim)
        self.output = nn.Linear(dim, vocab)
        self.dropout = nn.Dropout(0.5)
        for weight in (self.embedding.weight, self.output.weight):
            nn.init.uniform_(weight, -0.1, 0.1)
        nn.init.zeros_(self.output.bias)

    def start(self, features):
        mean = features.mean(1)
        return self.initial_h(mean), self.initial_c(mean)

    def look(self, features, keys, h):
        """One query an image: features (B,L,D), keys (B,L,A), h (B,H). Returns the gated context (B,D), alpha (B,L)."""
        scores = self.score(torch.relu(keys + self.query(h).unsqueeze(1))).squeeze(2)
        alpha = torch.softmax(scores, 1)
        context = torch.bmm(alpha.unsqueeze(1), features).squeeze(1)
        return torch.sigmoid(self.gate(h)) * context, alpha

    def look_many(self, features, keys, h):
        """k queries an image, which share its features: h (B,k,H). Returns the gated context (B,k,D)."""
        scores = self.score(torch.relu(keys.unsqueeze(1) + self.query(h).unsqueeze(2))).squeeze(3)
        context = torch.bmm(torch.softmax(scores, 2), features)
        return torch.sigmoid(self.gate(h)) * context

    def read(self, word, context, h, c):
        return self.cell(torch.cat([word, context], 1), (h, c))


def hoisted_loss(model, features, words, rows, image):
    """rows[t] captions, the first ones, have a word at step t. features (I,L,D), words (B,T+1); image (B): whose features a
    caption looks at, None where each has its own."""
    batch, locations = len(words), features.shape[1]
    embedded, keys = model.embedding(words), model.key(features)
    h, c = model.start(features)
    if image is not None:
        features, keys, h, c = (x[image] for x in (features, keys, h, c))
    looked = torch.zeros(batch, locations, device=features.device)
    hidden = []
    for t, n in enumerate(rows):
        if n < len(h):  # views of views: the gradient of the keys is padded only when captions end, and only by these
            features, keys, h, c = features[:n], keys[:n], h[:n], c[:n]
        context, alpha = model.look(features, keys, h)
        h, c = model.read(embedded[:n, t], context, h, c)
        looked = looked + F.pad(alpha, (0, 0, 0, batch - n))
        hidden.append(h)
    logits = model.output(model.dropout(torch.cat(hidden)))
    targets = torch.cat([words[:n, t + 1] for t, n in enumerate(rows)])
    return F.cross_entropy(logits.float(), targets) + ((1 - looked) ** 2).mean()


def tutorial_loss(model, features, words, rows, image):
    """The same loss with everything inside the loop."""
    features = features if image is None else features[image]
    batch, locations = features.shape[:2]
    embedded = model.embedding(words)
    h, c = model.start(features)
    logits = torch.zeros(batch, len(rows), model.output.out_features, device=features.device)
    alphas = torch.zeros(batch, len(rows), locations, device=features.device)
    for t, n in enumerate(rows):
        context, alpha = model.look(features[:n], model.key(features[:n]), h[:n])
        h, c = model.read(embedded[:n, t], context, h[:n], c[:n])
        logits[:n, t] = model.output(model.dropout(h)).to(logits.dtype)
        alphas[:n, t] = alpha.to(alphas.dtype)
    packed = torch.cat([logits[:n, t] for t, n in enumerate(rows)])
    targets = torch.cat([words[:n, t + 1] for t, n in enumerate(rows)])
    return F.cross_entropy(packed, targets) + ((1 - alphas.sum(1)) ** 2).mean()


def beam_search(model, features, beam, longest=20):
    """Words of the best caption of each image; features (B,L,D). An image's finished captions are kept aside; the search
    ends when no unfinished caption of any image can still win."""
    batch, device = len(features), features.device
    keys = model.key(features)
    h, c = (x.unsqueeze(1).expand(-1, beam, -1).reshape(batch * beam, -1) for x in model.start(features))
    first_row = torch.arange(batch, device=device).unsqueeze(1) * beam
    words = torch.full((batch, beam, 1), START, device=device)
    score = torch.full((batch, beam), -math.inf, device=device)
    score[:, 0] = 0
    best_score = torch.full((batch,), -math.inf, device=device)
    best_words = [None] * batch
    for _ in range(longest):
        context = model.look_many(features, keys, h.view(batch, beam, -1)).flatten(0, 1)
        h, c = model.read(model.embedding(words[:, :, -1]).flatten(0, 1), context, h, c)
        # The k best words of a caption hold all that can be among the image's k best; log softmax only shifts them.
        logits = model.output(h).float()
        value, word = logits.topk(beam, 1)
        value = value - logits.logsumexp(1, keepdim=True) + score.view(-1, 1)
        score, choice = value.view(batch, -1).topk(beam, 1)
        source = choice // beam
        word = word.view(batch, -1).gather(1, choice)
        row = (first_row + source).flatten()
        h, c = h[row], c[row]
        words = torch.cat([words.flatten(0, 1)[row].view(batch, beam, -1), word.unsqueeze(2)], 2)
        ended = word == END
        if ended.any():
            ended_score, at = score.masked_fill(~ended, -math.inf).max(1)
            for image in (ended_score > best_score).nonzero().flatten().tolist():
                best_words[image] = words[image, at[image], 1:-1]
            best_score = torch.maximum(best_score, ended_score)
            score = score.masked_fill(ended, -math.inf)
            if bool((score.amax(1) <= best_score).all()):
                break
    return [(words[i, 0, 1:] if found is None else found).tolist() for i, found in enumerate(best_words)]


def random_batch(flags, generator, device):
    """Captions with 3 to 37 words to predict, 11.8 in the mean, as in Flickr8k, longest first."""
    lengths = (torch.randn(flags.batch, generator=generator) * 3.9 + 11.8).round().clamp(3, 37).long()
    lengths = lengths.sort(descending=True).values
    longest = int(lengths[0])
    words = torch.randint(FIRST_WORD, flags.vocab, (flags.batch, longest + 1), generator=generator)
    images = -(-flags.batch // flags.captions_per_image)
    features = torch.randn(images, flags.locations, flags.channels, generator=generator)
    image = None
    if flags.captions_per_image > 1:
        image = (torch.randperm(flags.batch, generator=generator) // flags.captions_per_image).to(device)
    rows = [int((lengths > t).sum()) for t in range(longest)]
    return features.to(device), words.to(device), rows, image


def wait(device):
    if device.type == "cuda":
        torch.cuda.synchronize()


def median_seconds(rounds, device, run):
    seconds = []
    for _ in range(rounds):
        begin = time.perf_counter()
        run()
        wait(device)
        seconds.append(time.perf_counter() - begin)
    return statistics.median(seconds)


def mixed_precision(flags, device):
    return torch.autocast(device.type, dtype=torch.bfloat16, enabled=flags.dtype == "bf16")


def train(flags, device):
    generator = torch.Generator().manual_seed(flags.seed)
    model = Captioner(flags.vocab, flags.channels, flags.dim).to(device)
    adam = torch.optim.Adam(model.parameters(), lr=4e-4, fused=True)
    batches = [random_batch(flags, generator, device) for _ in range(flags.rotate)]
    loss_of = hoisted_loss if flags.style == "hoisted" else tutorial_loss
    if flags.compile:
        loss_of = torch.compile(loss_of, dynamic=False, mode="reduce-overhead" if device.type == "cuda" else "default")

    def step(batch):
        with mixed_precision(flags, device):
            loss = loss_of(model, *batch)
        adam.zero_grad(set_to_none=True)
        loss.backward()
        nn.utils.clip_grad_value_(model.parameters(), 5.0)
        adam.step()

    for i in range(max(flags.warmup, len(batches))):
        step(batches[i % len(batches)])
    wait(device)
    ms = median_seconds(flags.rounds, device, lambda: [step(batch) for batch in batches]) / len(batches) * 1e3
    tokens = sum(sum(rows) for _, _, rows, _ in batches) // len(batches)
    return dict(what="train", style=flags.style, compile=flags.compile, dtype=flags.dtype, batch=flags.batch,
                locations=flags.locations, channels=flags.channels, vocab=flags.vocab, ms_per_step=round(ms, 3),
                captions_per_s=round(flags.batch / ms * 1e3, 1), tokens=tokens)


def beam(flags, device):
    generator = torch.Generator().manual_seed(flags.seed)
    model = Captioner(flags.vocab, flags.channels, flags.dim).to(device).eval()
    with torch.no_grad():
        model.output.bias[END] = flags.end_bias
    features = torch.randn(flags.images, flags.locations, flags.channels, generator=generator).to(device)

    def speed(run):
        with torch.inference_mode(), mixed_precision(flags, device):
            run()
            wait(device)
            return round(flags.images / median_seconds(flags.rounds, device, run), 1)

    batched = speed(lambda: beam_search(model, features, flags.beam))
    one_by_one = speed(lambda: [beam_search(model, features[i:i + 1], flags.beam) for i in range(flags.images)])
    return dict(what="beam", beam=flags.beam, images=flags.images, dtype=flags.dtype, locations=flags.locations,
                channels=flags.channels, vocab=flags.vocab, batched_images_per_s=batched,
                one_by_one_images_per_s=one_by_one)


def without_classifier(torchvision, name):
    network = getattr(torchvision.models, name)(weights=None)
    trunk = network.features if hasattr(network, "features") else nn.Sequential(*list(network.children())[:-2])
    return trunk.eval()


def encoder(flags, device):
    import torchvision
    trunk = without_classifier(torchvision, flags.encoder).to(device)
    images = torch.randn(flags.batch, 3, flags.size, flags.size, device=device)

    def speed(network, x):
        with torch.inference_mode(), mixed_precision(flags, device):
            for _ in range(2):
                network(x)
            wait(device)
            return round(flags.batch / median_seconds(flags.rounds, device, lambda: network(x)), 1)

    by_format = {"default": speed(trunk, images)}
    if flags.dtype == "f32":
        with torch.no_grad(), warnings.catch_warnings():
            warnings.simplefilter("ignore")  # TorchScript is said to be on its way out, but is still the best form
            script = torch.jit.optimize_for_inference(torch.jit.freeze(torch.jit.trace(trunk, images)))
        by_format["torchscript"] = speed(script, images)
    if flags.compile:
        by_format["compiled"] = speed(torch.compile(trunk), images)
    last = torch.channels_last
    by_format["channels_last"] = speed(trunk.to(memory_format=last), images.to(memory_format=last))
    return dict(what="encoder", encoder=flags.encoder, batch=flags.batch, dtype=flags.dtype,
                images_per_s=max(by_format.values()), by_format=by_format, torchvision=torchvision.__version__)


def parse():
    common = argparse.ArgumentParser(add_help=False)
    common.add_argument("--device", default="cuda" if torch.cuda.is_available() else "cpu")
    common.add_argument("--dtype", choices=["f32", "tf32", "bf16"], default="f32")
    for flag, value in dict(seed=1, threads=0, dim=512, locations=196, channels=2048, vocab=2541, batch=64, rounds=5,
                            warmup=3, rotate=4).items():
        common.add_argument(f"--{flag}", type=int, default=value)
    common.add_argument("--compile", action="store_true", help="use torch.compile")
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parts = parser.add_subparsers(dest="what", required=True)
    part = parts.add_parser("train", parents=[common])
    part.add_argument("--style", choices=["hoisted", "tutorial"], default="hoisted")
    part.add_argument("--captions-per-image", type=int, default=1, help="captions of a batch that share an image")
    part = parts.add_parser("beam", parents=[common])
    part.add_argument("--beam", type=int, default=5)
    part.add_argument("--images", type=int, default=32)
    part.add_argument("--end-bias", type=float, default=3, help="bias of the end's logit; -100: captions never end")
    part = parts.add_parser("encoder", parents=[common])
    part.add_argument("--encoder", default="densenet169", help="one of torchvision's names")
    part.add_argument("--size", type=int, default=224, help="pixels along a side")
    return parser.parse_args()


def main():
    flags = parse()
    torch.manual_seed(flags.seed)
    device = torch.device(flags.device)
    if flags.threads:
        torch.set_num_threads(flags.threads)
    if device.type == "cuda":
        torch.backends.cuda.matmul.allow_tf32 = torch.backends.cudnn.allow_tf32 = flags.dtype == "tf32"
        torch.backends.cudnn.benchmark = True
    result = dict(train=train, beam=beam, encoder=encoder)[flags.what](flags, device)
    where = torch.cuda.get_device_name() if device.type == "cuda" else f"cpu x{torch.get_num_threads()}"
    print(json.dumps(dict(result, torch=torch.__version__, device=where)))


if __name__ == "__main__":
    main()
