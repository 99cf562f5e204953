#!/usr/bin/env python3
"""A page on one training run, for bench/results: what each epoch reached, as a table and a curve, the scores of
`evaluate`, and five photographs, evenly spaced over the split and not chosen, with the captions they got.

    evaluate --model RUN/best.safetensors ... --split val --beam 3 --out captions.json --json scores.json
    bench/run_page.py RUN --captions captions.json --scores scores.json --images DIR --title TITLE --out bench/results/NAME

writes NAME.md, NAME.svg (the curve) and NAME.jpg (the photographs). Needs Pillow.
"""
import argparse
import json
import pathlib
import textwrap

from PIL import Image, ImageDraw, ImageFont

TILE, TEXT, PAD = 230, 60, 8
CHART = {"left": 46, "width": 330, "height": 190, "top": 30, "gap": 60}


def epochs_of(run):
    lines = [json.loads(line) for line in (run / "log.jsonl").read_text().splitlines()]
    return [line for line in lines if "val_loss" in line]


def chart(x0, title, epochs, series):
    """One chart as SVG text; series: [(name, colour, values)]."""
    values = [v for _, _, column in series for v in column]
    low, high = min(values), max(values)
    span = (high - low) or 1
    low, high = low - 0.08 * span, high + 0.08 * span
    x = lambda i: x0 + CHART["left"] + i * CHART["width"] / max(len(epochs) - 1, 1)
    y = lambda v: CHART["top"] + (high - v) / (high - low) * CHART["height"]
    parts = [f'<text x="{x0 + CHART["left"]}" y="16" font-weight="bold">{title}</text>']
    for k in range(5):
        value = low + (high - low) * k / 4
        parts.append(f'<line x1="{x(0):.1f}" x2="{x(len(epochs) - 1):.1f}" y1="{y(value):.1f}" y2="{y(value):.1f}" stroke="#8884"/>')
        parts.append(f'<text x="{x(0) - 8:.1f}" y="{y(value) + 4:.1f}" text-anchor="end">{value:.2f}</text>')
    for i, epoch in enumerate(epochs):
        parts.append(f'<text x="{x(i):.1f}" y="{CHART["top"] + CHART["height"] + 20}" text-anchor="middle">{epoch["epoch"]}</text>')
    for k, (name, colour, column) in enumerate(series):
        points = " ".join(f"{x(i):.1f},{y(v):.1f}" for i, v in enumerate(column))
        parts.append(f'<polyline points="{points}" fill="none" stroke="{colour}" stroke-width="2"/>')
        parts.append(f'<text x="{x(len(epochs) - 1) - 10 - 120 * k:.1f}" y="16" text-anchor="end" fill="{colour}">{name}</text>')
    return "\n".join(parts)


def write_curve(path, epochs):
    width = 2 * (CHART["left"] + CHART["width"]) + CHART["gap"] + 10
    height = CHART["top"] + CHART["height"] + 32
    column = lambda key: [e[key] for e in epochs]
    loss = chart(0, "loss", epochs, [("training", "#d0762b", column("train_loss")), ("validation", "#2463c9", column("val_loss"))])
    scores = chart(CHART["left"] + CHART["width"] + CHART["gap"], "greedy captions", epochs,
                   [("BLEU-4", "#2c8a62", [e["val_bleu"][3] for e in epochs]), ("CIDEr-D", "#8a56b8", column("val_cider_d"))])
    path.write_text(f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {height}" font-family="sans-serif" '
                    f'font-size="12" fill="#888">\n{loss}\n{scores}\n</svg>\n')


def five_of(captions):
    return [captions[k * len(captions) // 5] for k in range(5)]


def write_photographs(path, chosen, images):
    sheet = Image.new("RGB", (5 * (TILE + PAD) + PAD, TILE + TEXT + 2 * PAD), "white")
    draw, font = ImageDraw.Draw(sheet), ImageFont.load_default(size=15)
    for k, entry in enumerate(chosen):
        photo = Image.open(images / entry["filename"]).convert("RGB")
        side = min(photo.size)
        left, top = (photo.width - side) // 2, (photo.height - side) // 2
        x = PAD + k * (TILE + PAD)
        sheet.paste(photo.crop((left, top, left + side, top + side)).resize((TILE, TILE), Image.LANCZOS), (x, PAD))
        draw.multiline_text((x, TILE + 2 * PAD), textwrap.fill(entry["caption"], 30), "black", font=font)
    sheet.save(path, quality=82)


def write_page(path, title, epochs, scores, chosen):
    rows = "\n".join(
        f"| {e['epoch']}{' (kept)' if e['epoch'] == kept_epoch(epochs) else ''} | {e['train_loss']:.3f} | {e['val_loss']:.3f} | {100 * e['val_top5']:.1f} % "
        f"| {100 * e['val_bleu'][3]:.1f} | {e['val_cider_d']:.3f} | {e['captions_per_s']:.0f} |" for e in epochs)
    samples = "\n".join(f"| {c['filename']} | {c['caption']} | {c['references'][0]} |" for c in chosen)
    bleu = " / ".join(f"{100 * b:.1f}" for b in scores["bleu"])
    path.write_text(f"""# {title}

![loss and scores by epoch]({path.stem}.svg)

Split {scores['split']}, {scores['images']} images, beam {scores['beam']}, length penalty {scores['length_penalty']:g}: BLEU-1 to 4 {bleu},
ROUGE-L {scores['rouge_l']:.3f}, CIDEr-D {scores['cider_d']:.3f}.

| epoch | loss | validation loss | top-5 | BLEU-4 (greedy) | CIDEr-D (greedy) | captions/s |
|---|---|---|---|---|---|---|
{rows}

Five photographs, evenly spaced over the split:

![five photographs with their captions]({path.stem}.jpg)

| photograph | caption | one of the five references |
|---|---|---|
{samples}
""")


def kept_epoch(epochs):
    return [e["epoch"] for e in epochs if e["best"]][-1]


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("run", type=pathlib.Path)
    for name in ("captions", "scores", "images", "out"):
        parser.add_argument(f"--{name}", type=pathlib.Path, required=True)
    parser.add_argument("--title", required=True)
    a = parser.parse_args()
    epochs = epochs_of(a.run)
    chosen = five_of(json.loads(a.captions.read_text()))
    a.out.parent.mkdir(parents=True, exist_ok=True)
    write_curve(a.out.with_suffix(".svg"), epochs)
    write_photographs(a.out.with_suffix(".jpg"), chosen, a.images)
    write_page(a.out.with_suffix(".md"), a.title, epochs, json.loads(a.scores.read_text()), chosen)


if __name__ == "__main__":
    main()
