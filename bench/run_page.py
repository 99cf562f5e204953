#!/usr/bin/env python3
"""A page on one training run, for bench/results: what each epoch reached, as a table and a curve, the scores of
`evaluate`, and five photographs, evenly spaced over the split and not chosen, with the captions they got.

    evaluate --model RUN/best.safetensors ... --split val --beam 3 --out captions.json --json scores.json
    bench/run_page.py RUN --captions captions.json --scores scores.json --images DIR --title TITLE --out bench/results/NAME

writes NAME.md, NAME.svg (charts of the run's report.html) and NAME.jpg (the photographs). Needs Pillow.
"""
import argparse
import json
import pathlib
import re
import sys
import textwrap

from PIL import Image, ImageDraw, ImageFont

TILE, TEXT, PAD = 230, 60, 8
GAP, HEADING = 40, 30  # between charts, and above them
COLOURS = ("#d0762b", "#2463c9", "#2c8a62", "#8a56b8")  # readable on white and on black
STYLE = (".line { fill: none; stroke-width: 2; } .grid { stroke: #8884; } .mark { stroke: #888; stroke-dasharray: 3 4; } "
         ".title { font-weight: bold; } "
         + " ".join(f".c{i} {{ fill: {c}; }} .line.c{i} {{ fill: none; stroke: {c}; }}" for i, c in enumerate(COLOURS)))


def epochs_of(run):
    lines = [json.loads(line) for line in (run / "log.jsonl").read_text().splitlines()]
    return [line for line in lines if "val_loss" in line]


def chart(report, title, x):
    """A chart of report.html as SVG, with the title and the names of its curves above it."""
    for figure in re.findall(r'<figure class="chart".*?</figure>', report, re.S):
        if f"<b>{title}</b>" in figure:
            break
    else:
        sys.exit(f"run_page: report.html has no chart '{title}'")
    width, height = map(float, re.search(r'<svg viewBox="0 0 ([\d.]+) ([\d.]+)"', figure).groups())
    names = re.findall(r'<i class="(c\d)"></i>(.*?)</span>', figure)
    legend = "".join(f'<tspan dx="14" class="{colour}">{name}</tspan>' for colour, name in names)
    picture = re.search(r"<svg[^>]*>(.*)</svg>", figure, re.S).group(1)
    return width, height, (f'<svg x="{x}" y="0" width="{width:g}" height="{height + HEADING:g}">'
                           f'<text class="title" x="46" y="18">{title}{legend}</text>'
                           f'<svg y="{HEADING}" width="{width:g}" height="{height:g}">{picture}</svg></svg>')


def write_curve(path, run):
    report = (run / "report.html").read_text()
    charts, x, height = [], 0, 0
    for title in ("Loss", "CIDEr-D of free-running captions"):
        width, height, svg = chart(report, title, x)
        charts.append(svg)
        x += width + GAP
    path.write_text(f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {x - GAP:g} {height + HEADING:g}" '
                    f'font-family="sans-serif" font-size="12" fill="#888">\n<style>{STYLE}</style>\n'
                    + "\n".join(charts) + "\n</svg>\n")


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


def search_of(run):
    beam = json.loads((run / "config.json").read_text())["validation"]["beam"]
    return "greedy" if beam == 1 else f"beam {beam}"


def write_page(path, title, search, epochs, scores, chosen):
    rows = "\n".join(
        f"| {e['epoch']}{' (kept)' if e['epoch'] == kept_epoch(epochs) else ''} | {e['train_loss']:.3f} | {e['val_loss']:.3f} | {100 * e['val_top5']:.1f} % "
        f"| {100 * e['val_bleu'][3]:.1f} | {e['val_cider_d']:.3f} | {e['captions_per_s']:.0f} |" for e in epochs)
    samples = "\n".join(f"| {c['filename']} | {c['caption']} | {c['references'][0]} |" for c in chosen)
    bleu = " / ".join(f"{100 * b:.1f}" for b in scores["bleu"])
    path.write_text(f"""# {title}

![loss and scores by epoch]({path.stem}.svg)

Split {scores['split']}, {scores['images']} images, beam {scores['beam']}, length penalty {scores['length_penalty']:g}: BLEU-1 to 4 {bleu},
ROUGE-L {scores['rouge_l']:.3f}, CIDEr-D {scores['cider_d']:.3f}.

| epoch | loss | validation loss | top-5 | BLEU-4 ({search}) | CIDEr-D ({search}) | captions/s |
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
    write_curve(a.out.with_suffix(".svg"), a.run)
    write_photographs(a.out.with_suffix(".jpg"), chosen, a.images)
    write_page(a.out.with_suffix(".md"), a.title, search_of(a.run), epochs, json.loads(a.scores.read_text()), chosen)


if __name__ == "__main__":
    main()
