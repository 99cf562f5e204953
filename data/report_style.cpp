#include "glimpse/data/internal/report_parts.h"

namespace glimpse::report_parts {

const char* const style = R"(
:root {
  --paper: #f7f7f5; --card: #ffffff; --ink: #1d2126; --soft: #646b75; --edge: #e2e3e1; --accent: #2463c9;
  --c0: #d0762b; --c1: #2463c9; --c2: #2c8a62; --c3: #8a56b8; --miss: #c2453d;
}
@media (prefers-color-scheme: dark) {
  :root {
    --paper: #131519; --card: #1c1f25; --ink: #e8eaed; --soft: #989fab; --edge: #2e323a; --accent: #7db0ff;
    --c0: #f0a35e; --c1: #7db0ff; --c2: #6fcf9f; --c3: #c59cf0; --miss: #ff8f86;
  }
}
* { box-sizing: border-box; }
body { margin: 0; background: var(--paper); color: var(--ink); font: 15px/1.5 system-ui, -apple-system, "Segoe UI", sans-serif; }
header, main { max-width: 1160px; margin: 0 auto; padding: 0 24px; }
header { padding-top: 44px; }
h1 { font-size: 30px; line-height: 1.2; margin: 0; letter-spacing: -0.01em; }
header p, .note { color: var(--soft); margin: 6px 0 0; }
section { margin: 40px 0 0; }
main { padding-bottom: 64px; }
h2 { font-size: 19px; margin: 0; }
h2 + *, .note + * { margin-top: 16px; }
.tiles { display: grid; grid-template-columns: repeat(auto-fit, minmax(130px, 1fr)); gap: 12px; }
.tiles div, .chart, article, .rows { background: var(--card); border: 1px solid var(--edge); border-radius: 10px; }
.tiles div { padding: 14px 16px; display: flex; flex-direction: column; }
.tiles b { font-size: 26px; line-height: 1.2; font-variant-numeric: tabular-nums; }
.tiles span { color: var(--soft); font-size: 13px; }
.charts { display: grid; grid-template-columns: repeat(auto-fit, minmax(min(420px, 100%), 1fr)); gap: 16px; }
.chart { margin: 0; padding: 14px 14px 8px; position: relative; }
.chart figcaption { display: flex; align-items: baseline; gap: 6px; padding: 0 2px 6px; flex-wrap: wrap; }
.chart small, .legend { color: var(--soft); font-size: 13px; }
.legend { margin-left: auto; display: flex; gap: 14px; }
.legend i { display: inline-block; width: 14px; height: 3px; border-radius: 2px; margin-right: 6px; vertical-align: middle; }
.chart svg { display: block; width: 100%; height: auto; overflow: visible; touch-action: pan-y; }
.chart text { fill: var(--soft); font-size: 11.5px; font-variant-numeric: tabular-nums; }
.grid { stroke: var(--edge); stroke-width: 1; }
.mark, .cursor { stroke: var(--soft); stroke-width: 1; }
.mark { stroke-dasharray: 3 4; }
.line { fill: none; stroke-width: 2; stroke-linejoin: round; stroke-linecap: round; }
.line.c0 { stroke: var(--c0); } .line.c1 { stroke: var(--c1); } .line.c2 { stroke: var(--c2); } .line.c3 { stroke: var(--c3); }
.dot.c0 { fill: var(--c0); } .dot.c1 { fill: var(--c1); } .dot.c2 { fill: var(--c2); } .dot.c3 { fill: var(--c3); }
i.c0 { background: var(--c0); } i.c1 { background: var(--c1); } i.c2 { background: var(--c2); } i.c3 { background: var(--c3); }
.tip { position: absolute; pointer-events: none; background: var(--ink); color: var(--paper); border-radius: 6px;
  padding: 5px 9px; font-size: 12.5px; line-height: 1.45; white-space: nowrap; transform: translate(-50%, -100%); z-index: 1; }
.cards { display: grid; grid-template-columns: repeat(auto-fill, minmax(min(250px, 100%), 1fr)); gap: 16px; }
.cards.wide { grid-template-columns: repeat(auto-fill, minmax(min(340px, 100%), 1fr)); }
article { overflow: hidden; padding-bottom: 12px; display: flex; flex-direction: column; }
.frame { position: relative; background: #0d0e11; display: flex; justify-content: center; aspect-ratio: 4 / 3; overflow: hidden; }
.frame img { width: 100%; height: 100%; object-fit: contain; display: block; }
.frame canvas { position: absolute; }
.caption { font-weight: 600; margin: 12px 14px 6px; }
.caption u { text-decoration: underline; text-decoration-color: var(--miss); text-decoration-thickness: 2px; text-underline-offset: 3px; }
.score { float: right; margin-left: 10px; color: var(--soft); font-weight: 500; font-variant-numeric: tabular-nums; }
article ul { list-style: none; margin: 0 14px; padding: 8px 0 0; border-top: 1px solid var(--edge); color: var(--soft); font-size: 13px; }
article li { padding: 1px 0; }
.words { padding: 12px 12px 4px; display: flex; flex-wrap: wrap; gap: 4px; min-height: 52px; align-content: flex-start; }
button { font: inherit; color: inherit; background: none; border: 0; padding: 2px 7px; border-radius: 6px; cursor: pointer; }
button:hover { background: var(--edge); }
button.on { background: var(--accent); color: var(--card); }
.player { display: flex; align-items: center; gap: 6px; padding: 0 14px 0 8px; margin-top: auto; }
.play { color: var(--soft); }
.player input { flex: 1; accent-color: var(--accent); min-width: 0; }
.rows { overflow-x: auto; padding: 6px 16px; columns: 2 420px; column-gap: 40px; }
table { border-collapse: collapse; width: 100%; font-size: 13.5px; }
tr { border-bottom: 1px solid var(--edge); }
tr:last-child { border-bottom: 0; }
th { text-align: left; font-weight: 500; color: var(--soft); padding: 5px 16px 5px 0; white-space: nowrap; vertical-align: top; }
td { padding: 5px 0; overflow-wrap: anywhere; font-variant-numeric: tabular-nums; }
@media print { .player { display: none; } article, .chart { break-inside: avoid; } }
)";

const char* const script = R"(
'use strict';

// Charts: a line at the nearest x, with each curve's value closest to it.
for (const figure of document.querySelectorAll('.chart')) {
  const curves = JSON.parse(figure.dataset.curves), scale = JSON.parse(figure.dataset.scale);
  const svg = figure.querySelector('svg'), hover = figure.querySelector('.hover');
  const xs = [...new Set(curves.flatMap(curve => curve.points.map(point => point[0])))];
  const place = (axis, value) => axis[2] + (value - axis[0]) / (axis[1] - axis[0]) * (axis[3] - axis[2]);
  const number = value => String(+value.toPrecision(4));
  let tip = null;
  const leave = () => { hover.replaceChildren(); if (tip) tip.remove(); tip = null; };
  const add = (name, attributes) => {
    const node = document.createElementNS('http://www.w3.org/2000/svg', name);
    for (const key in attributes) node.setAttribute(key, attributes[key]);
    hover.append(node);
  };
  svg.addEventListener('pointermove', event => {
    const box = svg.getBoundingClientRect(), unit = box.width / svg.viewBox.baseVal.width;
    const at = (event.clientX - box.left) / unit;
    const x = xs.reduce((a, b) => Math.abs(place(scale.x, b) - at) < Math.abs(place(scale.x, a) - at) ? b : a);
    leave();
    add('line', {class: 'cursor', x1: place(scale.x, x), x2: place(scale.x, x), y1: scale.y[3], y2: scale.y[2]});
    tip = document.createElement('div');
    tip.className = 'tip';
    tip.append(figure.dataset.x + ' ' + number(x));
    let top = scale.y[2];
    curves.forEach(curve => {
      if (curve.points.length === 0) return;
      const point = curve.points.reduce((a, b) => Math.abs(b[0] - x) < Math.abs(a[0] - x) ? b : a);
      const y = place(scale.y, point[1]);
      top = Math.min(top, y);
      add('circle', {class: 'dot c' + curve.colour, cx: place(scale.x, point[0]), cy: y, r: 4});
      tip.append(document.createElement('br'), curve.name + ' ' + number(point[1]) + ' ' + figure.dataset.unit);
    });
    figure.append(tip);
    const frame = figure.getBoundingClientRect(), half = tip.offsetWidth / 2 + 4;
    const left = box.left - frame.left + place(scale.x, x) * unit;
    tip.style.left = Math.min(Math.max(left, half), frame.width - half) + 'px';
    tip.style.top = box.top - frame.top + top * unit - 12 + 'px';
  });
  svg.addEventListener('pointerleave', leave);
}

// Attention: a dark sheet over the photograph, clear where the network looks. The map is made smooth as in the PNG
// files: cells are the centres of a cubic B-spline.
function taps(position, cells) {
  const base = Math.floor(position), t = position - base, s = 1 - t;
  const weights = [s * s * s, 3 * t * t * t - 6 * t * t + 4, 3 * s * s * s - 6 * s * s + 4, t * t * t];
  return weights.map((weight, k) => [Math.min(Math.max(base - 1 + k, 0), cells - 1), weight / 6]);
}

function smooth(cells, rows, columns, height, width) {
  const values = new Float32Array(height * width);
  const across = Array.from({length: width}, (_, x) => taps((x + 0.5) * columns / width - 0.5, columns));
  for (let y = 0; y < height; ++y)
    for (const [row, down] of taps((y + 0.5) * rows / height - 0.5, rows))
      for (let x = 0; x < width; ++x)
        for (const [column, weight] of across[x]) values[y * width + x] += down * weight * cells[row * columns + column];
  return values;
}

for (const card of document.querySelectorAll('.attention')) {
  const rows = +card.dataset.rows, columns = +card.dataset.columns, locations = rows * columns;
  const peaks = card.dataset.peaks.split(' ').map(Number);
  const bytes = Uint8Array.from(atob(card.dataset.maps), character => character.charCodeAt(0));
  const image = card.querySelector('img'), canvas = card.querySelector('canvas');
  const words = [...card.querySelectorAll('.words button')], slider = card.querySelector('input');
  const play = card.querySelector('.play');
  const photo = +image.getAttribute('width') / +image.getAttribute('height');
  canvas.width = Math.round(photo >= 1 ? 160 : 160 * photo);
  canvas.height = Math.round(photo >= 1 ? 160 / photo : 160);
  const fit = () => {  // the canvas lies exactly on the contained picture
    const box = image.getBoundingClientRect(), width = Math.min(box.width, box.height * photo);
    Object.assign(canvas.style, {width: width + 'px', height: width / photo + 'px',
      left: (box.width - width) / 2 + 'px', top: (box.height - width / photo) / 2 + 'px'});
  };
  let shown = -1, timer = 0;
  const show = index => {
    if (index === shown) return;
    shown = index;
    words.forEach((word, i) => word.classList.toggle('on', i === index));
    slider.value = index;
    const cells = Array.from(bytes.subarray(index * locations, (index + 1) * locations), v => v / 255 * peaks[index]);
    const values = smooth(cells, rows, columns, canvas.height, canvas.width);
    const white = Math.max(2, values.reduce((a, b) => Math.max(a, b), 0));
    const context = canvas.getContext('2d'), sheet = context.createImageData(canvas.width, canvas.height);
    values.forEach((value, i) => {
      const lit = Math.min(value / white, 1), glow = 0.2 * lit * lit;
      const opacity = 1 - Math.pow(0.06 + 0.94 * lit, 1 / 2.2) * (1 - glow);
      sheet.data.fill(opacity > 0 ? 255 * glow / opacity : 0, 4 * i, 4 * i + 3);
      sheet.data[4 * i + 3] = 255 * opacity;
    });
    context.putImageData(sheet, 0, 0);
  };
  const stop = () => { clearInterval(timer); timer = 0; play.textContent = '\u25B6'; };
  words.forEach((word, i) => {
    for (const event of ['pointerenter', 'focus', 'click']) word.addEventListener(event, () => { stop(); show(i); });
  });
  slider.addEventListener('input', () => { stop(); show(+slider.value); });
  play.addEventListener('click', () => {
    if (timer) return stop();
    play.textContent = '\u23F8';
    show(0);
    timer = setInterval(() => shown + 1 < words.length ? show(shown + 1) : stop(), 900);
  });
  new ResizeObserver(fit).observe(image);
  fit();
  show(+card.dataset.start);
}
)";

}  // namespace glimpse::report_parts
