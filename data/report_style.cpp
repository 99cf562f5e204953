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
header { padding-top: 44px; overflow-wrap: anywhere; }
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
.legend { margin-left: auto; display: flex; flex-wrap: wrap; gap: 0 14px; }
.legend span { white-space: nowrap; }
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
.chart svg:focus-visible { outline: 2px solid var(--accent); outline-offset: 4px; border-radius: 4px; }
.cards { display: grid; grid-template-columns: repeat(auto-fill, minmax(min(320px, 100%), 1fr)); gap: 16px; }
article { overflow: hidden; padding-bottom: 12px; display: flex; flex-direction: column; }
.frame { position: relative; background: #0d0e11; display: flex; justify-content: center; aspect-ratio: 4 / 3; overflow: hidden; }
.frame img { width: 100%; height: 100%; object-fit: contain; display: block; }
.frame canvas { position: absolute; pointer-events: none; }
.about { display: flex; flex-wrap: wrap; justify-content: space-between; gap: 0 12px; margin: 10px 14px 0; color: var(--soft); font-size: 13px; }
.about span { overflow-wrap: anywhere; }
.score { font-variant-numeric: tabular-nums; }
.caption { font-weight: 600; margin: 8px 14px; overflow-wrap: anywhere; }
u { text-decoration-color: var(--miss); text-decoration-thickness: 2px; text-underline-offset: 3px; }
article ul { list-style: none; margin: 4px 14px 0; padding: 8px 0 0; border-top: 1px solid var(--edge); color: var(--soft); font-size: 13px; }
article li { padding: 1px 0; overflow-wrap: anywhere; }
.words { padding: 6px 8px 2px; display: flex; flex-wrap: wrap; gap: 2px; }
button { font: inherit; color: inherit; background: none; border: 0; padding: 3px 6px; border-radius: 6px; cursor: pointer; overflow-wrap: anywhere; }
.words button { font-weight: 600; }
.words small { font-weight: 400; font-size: 12px; color: var(--soft); font-variant-numeric: tabular-nums; }
button:hover { background: var(--edge); }
button.on, button.on small { background: var(--accent); color: var(--card); }
button:focus-visible { outline: 2px solid var(--accent); outline-offset: 1px; }
.player { display: flex; align-items: center; gap: 6px; padding: 0 14px 0 8px; }
.play { color: var(--soft); }
.player input { flex: 1; accent-color: var(--accent); min-width: 0; }
details { margin: 10px 14px 0; border-top: 1px solid var(--edge); padding-top: 8px; font-size: 13px; }
summary { cursor: pointer; color: var(--soft); }
summary:focus-visible, .beam:focus-visible { outline: 2px solid var(--accent); outline-offset: 1px; border-radius: 4px; }
.beam { overflow-x: auto; margin: 6px -14px 0; padding: 0 4px; }
.beam svg { display: block; }
.beam text { fill: var(--soft); font-size: 13px; }
.beam tspan { font-size: 11.5px; font-weight: 400; font-variant-numeric: tabular-nums; }
.beam .chosen { fill: var(--accent); font-weight: 600; }
.beam .ended { font-style: italic; }
.beam .branch { fill: none; stroke: var(--soft); stroke-width: 1.5; opacity: 0.5; }
.beam .branch.chosen { stroke: var(--accent); stroke-width: 2; opacity: 1; }
@media (pointer: coarse) { button { min-height: 36px; min-width: 36px; } }
.rows { overflow-x: auto; padding: 6px 16px; columns: 2 420px; column-gap: 40px; }
.table { overflow-x: auto; background: var(--card); border: 1px solid var(--edge); border-radius: 10px; padding: 6px 16px; }
.table td, .table th { padding-right: 16px; vertical-align: top; }
.table tr > :last-child { padding-right: 0; }
.table th[scope=col] { white-space: normal; }
table { border-collapse: collapse; width: 100%; font-size: 13.5px; }
tr { border-bottom: 1px solid var(--edge); }
tr:last-child { border-bottom: 0; }
th { text-align: left; font-weight: 500; color: var(--soft); padding: 5px 16px 5px 0; white-space: nowrap; vertical-align: top; }
td { padding: 5px 0; overflow-wrap: anywhere; font-variant-numeric: tabular-nums; }
@media (max-width: 560px) {
  header, main { padding-left: 14px; padding-right: 14px; }
  header { padding-top: 28px; }
  h1 { font-size: 24px; }
  .table { padding: 6px 12px; }
  .table td, .table th { padding-right: 10px; }
  .chart { padding: 12px 8px 6px; }
  .chart text { font-size: 19px; }
  .cards { margin-left: -6px; margin-right: -6px; }
}
.table td { overflow-wrap: break-word; }
@media print { .player { display: none; } article, .chart { break-inside: avoid; } }
)";

}  // namespace glimpse::report_parts
