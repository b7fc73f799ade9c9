"""How the HTML report looks, on a screen and on A4 paper."""

from __future__ import annotations

STYLE = """
:root { --ink: #16292b; --soft: #556669; --line: #d5e0e0; --paper: #fff; --tint: #eef4f4; --teal: #0b7a75;
  --good: #1a7f37; --warn: #9a5b00; --fail: #b3261e; --unknown: #5f6b6d; }
* { box-sizing: border-box; }
body { margin: 0 auto; max-width: 940px; padding: 28px 20px; color: var(--ink); background: var(--paper);
  font: 15px/1.5 system-ui, -apple-system, "Segoe UI", Roboto, "Noto Sans", sans-serif;
  overflow-wrap: anywhere; }
h1 { font-size: 26px; line-height: 1.2; margin: 0 0 4px; }
h2 { font-size: 19px; margin: 30px 0 8px; padding-bottom: 4px; border-bottom: 2px solid var(--line); }
h3 { font-size: 15px; margin: 14px 0 4px; }
p { margin: 6px 0; } .soft, figcaption, small { color: var(--soft); } small { font-size: 12.5px; }
.cards { display: grid; grid-template-columns: repeat(auto-fit, minmax(205px, 1fr)); gap: 12px;
  margin: 18px 0; }
.card { border: 1px solid var(--line); border-top: 5px solid var(--unknown); border-radius: 8px;
  padding: 12px; }
.card h2 { border: 0; margin: 0; padding: 0; font-size: 16px; }
.card .level { font-weight: 700; font-size: 17px; margin: 6px 0; }
.card.good { border-top-color: var(--good); } .good .level, .lv-good { color: var(--good); }
.card.warn { border-top-color: var(--warn); } .warn .level, .lv-warn { color: var(--warn); }
.card.fail { border-top-color: var(--fail); } .fail .level, .lv-fail { color: var(--fail); }
.unknown .level, .lv-unknown { color: var(--unknown); }
table { border-collapse: collapse; width: 100%; margin: 8px 0; font-size: 13.5px; }
th, td { text-align: left; vertical-align: top; padding: 6px 8px; border-bottom: 1px solid var(--line);
  overflow-wrap: normal; }
thead th { background: var(--tint); font-weight: 600; }
td.n { white-space: nowrap; font-variant-numeric: tabular-nums; }
tr.more td { border-bottom: 2px solid var(--line); padding-top: 0; color: var(--soft); font-size: 12.5px;
  overflow-wrap: anywhere; }
tr.value > * { border-bottom: 0; }
td.long, code { overflow-wrap: anywhere; } code { font: 12px/1.4 ui-monospace, Menlo, Consolas, monospace; }
.warning { color: var(--warn); }
.interval { width: 190px; height: 22px; display: block; } .interval .base { stroke: var(--line);
  stroke-width: 2; }
.interval .bar { fill: #0f8b8d; fill-opacity: .35; } .interval .dot { fill: var(--teal); }
.floor { fill: none; stroke: #1f5fbf; stroke-width: 2.5; }
.noise { fill: none; stroke: #a03030; stroke-width: 2.5; }
.key { width: 14px; height: 14px; vertical-align: -2px; } .legend span { margin-right: 16px;
  white-space: nowrap; }
.two { display: grid; grid-template-columns: 1fr 1fr; gap: 16px; } figure { margin: 0; }
figure img { width: 100%; image-rendering: auto; border-radius: 4px; display: block; }
.pairs { display: grid; grid-template-columns: repeat(auto-fill, minmax(200px, 1fr)); gap: 12px; }
.pairs figure { border: 1px solid var(--line); border-radius: 6px; padding: 8px; }
.pairs .copy { border: 2px solid var(--fail); } .pairs b { color: var(--fail); }
.map { width: 100%; border: 1px solid var(--line); border-radius: 6px; }
.settings th { width: 190px; font-weight: 600; }
@media (max-width: 620px) { .wide { overflow-x: auto; } }
@media (prefers-color-scheme: dark) { @media screen {
  :root { --ink: #e4eeee; --soft: #a3b4b6; --line: #2b3f42; --paper: #101a1c; --tint: #18272a;
  --teal: #2fb5ac;
    --good: #5cc98a; --warn: #e6a33e; --fail: #ff8a80; --unknown: #a3b4b6; }
  .floor { stroke: #7fb0ff; } .noise { stroke: #ff8a80; } } }
@page { size: A4; margin: 16mm 14mm; }
@media print {
  body { max-width: none; padding: 0; font-size: 10.5pt; -webkit-print-color-adjust: exact;
    print-color-adjust: exact; }
  h1 { font-size: 19pt; } h2 { font-size: 13.5pt; break-after: avoid; } h3 { break-after: avoid; }
  .cards { grid-template-columns: 1fr 1fr; } .card, figure, .legend, tbody.figure { break-inside: avoid; }
  table { font-size: 9pt; } thead { display: table-header-group; } tr { break-inside: avoid; }
  .page { break-before: page; } .pairs { grid-template-columns: repeat(3, 1fr); }
  .two img { max-height: 150mm; }
  .interval { width: 150px; } p, li { orphans: 3; widows: 3; }
}
"""
