#include "glimpse/data/internal/report_parts.h"

namespace glimpse::report_parts {

const char* const script = R"(
'use strict';

// Charts: a line at the nearest x, with each curve's value closest to it, for pointers and for the keyboard's arrows.
for (const figure of document.querySelectorAll('.chart')) {
  const curves = JSON.parse(figure.dataset.curves), scale = JSON.parse(figure.dataset.scale);
  const svg = figure.querySelector('svg'), hover = figure.querySelector('.hover');
  const xs = [...new Set(curves.flatMap(curve => curve.points.map(point => point[0])))].sort((a, b) => a - b);
  const place = (axis, value) => axis[2] + (value - axis[0]) / (axis[1] - axis[0]) * (axis[3] - axis[2]);
  const number = value => String(+value.toPrecision(4));
  const title = svg.getAttribute('aria-label'), tip = document.createElement('div');
  tip.className = 'tip';
  let at = -1;  // which of the xs is shown
  const leave = () => { hover.replaceChildren(); tip.remove(); at = -1; };
  const add = (name, attributes) => {
    const node = document.createElementNS('http://www.w3.org/2000/svg', name);
    for (const key in attributes) node.setAttribute(key, attributes[key]);
    hover.append(node);
  };
  const show = index => {
    leave();
    at = index;
    const x = xs[at], lines = [figure.dataset.x + ' ' + number(x)];
    add('line', {class: 'cursor', x1: place(scale.x, x), x2: place(scale.x, x), y1: scale.y[3], y2: scale.y[2]});
    let top = scale.y[2];
    for (const curve of curves) {
      if (curve.points.length === 0) continue;
      const point = curve.points.reduce((a, b) => Math.abs(b[0] - x) < Math.abs(a[0] - x) ? b : a);
      const y = place(scale.y, point[1]);
      top = Math.min(top, y);
      add('circle', {class: 'dot c' + curve.colour, cx: place(scale.x, point[0]), cy: y, r: 4});
      lines.push(curve.name + ' ' + number(point[1]) + ' ' + figure.dataset.unit);
    }
    tip.replaceChildren(...lines.flatMap((line, i) => i ? [document.createElement('br'), line] : [line]));
    svg.setAttribute('aria-valuenow', number(x));
    svg.setAttribute('aria-valuetext', lines.join(', '));
    figure.append(tip);
    const box = svg.getBoundingClientRect(), frame = figure.getBoundingClientRect(), half = tip.offsetWidth / 2 + 4;
    const unit = box.width / svg.viewBox.baseVal.width, left = box.left - frame.left + place(scale.x, x) * unit;
    tip.style.left = Math.min(Math.max(left, half), frame.width - half) + 'px';
    tip.style.top = box.top - frame.top + top * unit - 12 + 'px';
  };
  // With the script the picture is a slider over its x axis, whose value is what the tip says.
  for (const [name, value] of [['role', 'slider'], ['tabindex', 0], ['aria-valuemin', number(xs[0])],
      ['aria-valuemax', number(xs[xs.length - 1])], ['aria-valuenow', number(xs[0])], ['aria-valuetext', title]])
    svg.setAttribute(name, value);
  svg.addEventListener('pointermove', event => {
    const box = svg.getBoundingClientRect(), unit = box.width / svg.viewBox.baseVal.width;
    const to = (event.clientX - box.left) / unit;
    const far = i => Math.abs(place(scale.x, xs[i]) - to);
    show(xs.reduce((best, _, i) => far(i) < far(best) ? i : best, 0));
  });
  svg.addEventListener('pointerleave', leave);
  svg.addEventListener('blur', leave);
  svg.addEventListener('keydown', event => {
    const to = {ArrowLeft: Math.max(at - 1, 0), ArrowDown: Math.max(at - 1, 0), ArrowRight: at + 1, ArrowUp: at + 1,
      Home: 0, End: xs.length - 1}[event.key];
    if (event.key === 'Escape') leave();
    if (to === undefined) return;
    event.preventDefault();
    show(Math.min(to, xs.length - 1));
  });
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

function draw(canvas, values) {
  const white = Math.max(2, values.reduce((a, b) => Math.max(a, b), 0));
  const context = canvas.getContext('2d'), sheet = context.createImageData(canvas.width, canvas.height);
  values.forEach((value, i) => {
    const lit = Math.min(value / white, 1), glow = 0.2 * lit * lit;
    const opacity = 1 - Math.pow(0.06 + 0.94 * lit, 1 / 2.2) * (1 - glow);
    sheet.data.fill(opacity > 0 ? 255 * glow / opacity : 0, 4 * i, 4 * i + 3);
    sheet.data[4 * i + 3] = 255 * opacity;
  });
  context.putImageData(sheet, 0, 0);
}

for (const caption of document.querySelectorAll('.attended')) {
  const rows = +caption.dataset.rows, columns = +caption.dataset.columns, locations = rows * columns;
  const peaks = caption.dataset.peaks.split(' ').map(Number);
  const bytes = Uint8Array.from(atob(caption.dataset.maps), character => character.charCodeAt(0));
  const card = caption.closest('article'), image = card.querySelector('img'), canvas = card.querySelector('canvas');
  const list = caption.querySelector('.words'), words = [...list.querySelectorAll('button')];
  const slider = caption.querySelector('input'), play = caption.querySelector('.play');
  const photo = +image.getAttribute('width') / +image.getAttribute('height');
  canvas.width = Math.round(photo >= 1 ? 160 : 160 * photo);
  canvas.height = Math.round(photo >= 1 ? 160 / photo : 160);
  const fit = () => {  // the canvas lies exactly on the contained picture
    const box = image.getBoundingClientRect(), width = Math.min(box.width, box.height * photo);
    Object.assign(canvas.style, {width: width + 'px', height: width / photo + 'px',
      left: (box.width - width) / 2 + 'px', top: (box.height - width / photo) / 2 + 'px'});
  };
  let shown = -1, chosen = -1, timer = 0;  // words; -1: none, the photograph as it is
  const show = index => {
    if (index === shown) return;
    shown = index;
    words.forEach((word, i) => word.classList.toggle('on', i === index));
    slider.value = index;
    slider.setAttribute('aria-valuetext', index < 0 ? 'photograph' : words[index].textContent);
    if (index < 0) return canvas.getContext('2d').clearRect(0, 0, canvas.width, canvas.height);
    const cells = Array.from(bytes.subarray(index * locations, (index + 1) * locations), v => v / 255 * peaks[index]);
    draw(canvas, smooth(cells, rows, columns, canvas.height, canvas.width));
  };
  const choose = index => {
    clearInterval(timer);
    timer = 0;
    play.textContent = '\u25B6';
    chosen = index;
    words.forEach((word, i) => {
      word.setAttribute('aria-pressed', i === index);
      word.tabIndex = i === Math.max(index, 0) ? 0 : -1;  // the caption is one stop of the Tab key
    });
    show(index);
  };
  words.forEach((word, i) => {
    word.addEventListener('pointerenter', () => { if (!timer) show(i); });
    word.addEventListener('click', () => choose(chosen === i ? -1 : i));
    word.addEventListener('focus', () => { if (word.matches(':focus-visible')) choose(i); });
  });
  list.addEventListener('pointerleave', () => { if (!timer) show(chosen); });
  list.addEventListener('keydown', event => {
    const from = words.indexOf(document.activeElement), last = words.length - 1;
    const to = {ArrowLeft: Math.max(from - 1, 0), ArrowRight: Math.min(from + 1, last), Home: 0, End: last}[event.key];
    if (event.key === 'Escape') choose(-1);
    if (to === undefined) return;
    event.preventDefault();
    words[to].focus();
    choose(to);
  });
  slider.addEventListener('input', () => choose(+slider.value));
  play.addEventListener('click', () => {
    if (timer) return choose(shown);
    choose(0);
    play.textContent = '\u23F8';
    timer = setInterval(() => shown + 1 < words.length ? show(shown + 1) : choose(-1), 900);
  });
  new ResizeObserver(fit).observe(image);
  fit();
  choose(-1);
}
)";

}  // namespace glimpse::report_parts
