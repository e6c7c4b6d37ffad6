"use strict";
// Local times, the plots, and a refresh that replaces nothing unless something changed.

const EVERY = 4000; // milliseconds between an answer and the next request
const FORMATS = {
  day: new Intl.DateTimeFormat(undefined, { day: "numeric", month: "short", hour: "2-digit", minute: "2-digit" }),
  clock: new Intl.DateTimeFormat(undefined, { timeStyle: "medium" }),
};
const main = document.getElementById("main");
const lost = document.getElementById("lost");
let shown = main.innerHTML; // the content as the server last sent it

function localTimes() {
  for (const time of main.querySelectorAll("time")) {
    time.title = time.textContent;
    time.textContent = FORMATS[time.className].format(new Date(time.dateTime));
  }
}

const LINES = [
  { colour: "--accent", band: "--band", dash: "solid", symbol: "circle" },
  { colour: "--other", band: "--other-band", dash: "dash", symbol: "diamond" },
];

function draw(box) {
  const plot = JSON.parse(box.dataset.plot);
  const style = getComputedStyle(document.documentElement);
  const colour = (name) => style.getPropertyValue(name).trim();
  const bands = plot.lines.map((line, i) => ({
    x: [...line.points.map((p) => p.x), ...line.points.map((p) => p.x).reverse()],
    y: [...line.points.map((p) => p.high), ...line.points.map((p) => p.low).reverse()],
    fill: "toself", fillcolor: colour(LINES[i].band), line: { width: 0 }, mode: "lines",
    hoverinfo: "skip", showlegend: false,
  }));
  const lines = plot.lines.map((line, i) => ({
    name: line.name,
    x: line.points.map((p) => p.x),
    y: line.points.map((p) => p.y),
    text: line.points.map((p) => p.hover),
    error_y: {
      type: "data", symmetric: false, thickness: 1.5, width: 4,
      array: line.points.map((p) => p.high - p.y),
      arrayminus: line.points.map((p) => p.y - p.low),
    },
    mode: "lines+markers", hovertemplate: "%{text}<extra></extra>",
    line: { width: 2, color: colour(LINES[i].colour), dash: LINES[i].dash },
    marker: { size: 8, symbol: LINES[i].symbol },
  }));
  const axis = { gridcolor: colour("--line"), zeroline: false, fixedrange: true };
  Plotly.react(box, [...bands, ...lines], {
    showlegend: lines.length > 1, legend: { orientation: "h", y: 1.02, yanchor: "bottom" },
    hovermode: "closest", font: { family: "system-ui, sans-serif", size: 13, color: colour("--soft") },
    paper_bgcolor: "rgba(0,0,0,0)", plot_bgcolor: "rgba(0,0,0,0)",
    margin: { l: 50, r: 15, t: 10, b: 45 },
    hoverlabel: { bgcolor: colour("--card"), bordercolor: colour("--accent"), font: { color: colour("--ink") } },
    xaxis: { ...axis, title: { text: plot.x }, rangemode: "tozero", tickformat: ",d" },
    yaxis: { ...axis, title: { text: plot.y }, range: [0, 1] },
  }, { displayModeBar: false, responsive: true });
}

function drawShares(box) { // one row a share, with its interval; without a value, only the interval
  const { shares } = JSON.parse(box.dataset.plot);
  const style = getComputedStyle(document.documentElement);
  const colour = (name) => style.getPropertyValue(name).trim();
  const percent = (share) => `${(100 * share).toFixed(1)} %`;
  const middle = (s) => s.value ?? (s.low + s.high) / 2;
  box.style.height = `${70 + 32 * shares.length}px`;
  const axis = { gridcolor: colour("--line"), zeroline: false, fixedrange: true };
  Plotly.react(box, [{
    y: shares.map((s) => s.name), x: shares.map(middle), type: "scatter", mode: "markers",
    text: shares.map((s) => `${s.name}: ${s.value === null ? "" : percent(s.value)} (${percent(s.low)} – ${percent(s.high)})`),
    hovertemplate: "%{text}<extra></extra>",
    error_x: {
      type: "data", symmetric: false, thickness: 2, width: 5, color: colour("--accent"),
      array: shares.map((s) => s.high - middle(s)), arrayminus: shares.map((s) => middle(s) - s.low),
    },
    marker: { size: 9, color: colour("--accent"), opacity: shares.map((s) => (s.value === null ? 0 : 1)) },
  }], {
    showlegend: false, font: { family: "system-ui, sans-serif", size: 13, color: colour("--soft") },
    paper_bgcolor: "rgba(0,0,0,0)", plot_bgcolor: "rgba(0,0,0,0)", margin: { l: 10, r: 15, t: 10, b: 35 },
    hoverlabel: { bgcolor: colour("--card"), bordercolor: colour("--accent"), font: { color: colour("--ink") } },
    xaxis: { ...axis, rangemode: "tozero", tickformat: ".0%" },
    yaxis: { ...axis, type: "category", automargin: true, autorange: "reversed" },
  }, { displayModeBar: false, responsive: true });
}

function drawAll() {
  for (const box of main.querySelectorAll(".plot")) ("shares" in JSON.parse(box.dataset.plot) ? drawShares : draw)(box);
}

function replace(fresh) {
  const opened = [...main.querySelectorAll("details[open]")].map((details) => details.id);
  const link = main.contains(document.activeElement) && document.activeElement.getAttribute("href");
  const drawn = [...main.querySelectorAll(".plot")];
  main.replaceChildren(...fresh.childNodes);
  for (const plot of drawn) { // keep a plot that is drawn already, so that it does not flicker
    const place = document.getElementById(plot.id);
    if (!place) continue;
    plot.dataset.plot = place.dataset.plot;
    place.replaceWith(plot);
  }
  for (const id of opened) document.getElementById(id)?.setAttribute("open", "");
  if (link) main.querySelector(`[href="${CSS.escape(link)}"]`)?.focus({ preventScroll: true });
  localTimes();
  drawAll();
}

function writing() { // do not replace what someone is typing
  const fields = [...main.querySelectorAll("input, textarea")];
  const changed = (field) =>
    field.type === "checkbox" ? field.checked !== field.defaultChecked : field.value !== field.defaultValue;
  const chosen = (list) => list.selectedIndex !== Math.max(0, [...list.options].findIndex((o) => o.defaultSelected));
  const lists = [...main.querySelectorAll("select")];
  return fields.some((field) => field === document.activeElement || changed(field)) || lists.some(chosen);
}

async function refresh() {
  const selecting = !getSelection().isCollapsed;
  if (document.hidden || selecting || writing()) return;
  try {
    const answer = await fetch(location.href, { headers: { Accept: "text/html" }, cache: "no-store" });
    const fresh = new DOMParser().parseFromString(await answer.text(), "text/html").getElementById("main");
    if (!fresh) throw new Error(`answer ${answer.status}`);
    const content = fresh.innerHTML;
    if (content !== shown) replace(fresh);
    shown = content;
    lost.hidden = true;
  } catch {
    lost.textContent = "biasloop does not answer: this is its last known state. `biasloop up` starts it.";
    lost.hidden = false;
  }
}

async function again() {
  await refresh();
  setTimeout(again, EVERY);
}

localTimes();
drawAll();
setTimeout(again, EVERY);
document.addEventListener("visibilitychange", refresh);
matchMedia("(prefers-color-scheme: dark)").addEventListener("change", drawAll);
