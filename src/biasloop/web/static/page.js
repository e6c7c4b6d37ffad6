"use strict";
// Local times, the learning curve, and a refresh that replaces nothing unless something changed.

const EVERY = 4000; // milliseconds between an answer and the next question
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

function drawCurve() {
  const box = document.getElementById("curve");
  if (!box) return;
  const points = JSON.parse(box.dataset.points);
  const style = getComputedStyle(document.documentElement);
  const colour = (name) => style.getPropertyValue(name).trim();
  const column = (name) => points.map((point) => point[name]);
  const band = {
    x: [...column("labels"), ...column("labels").reverse()],
    y: [...column("high"), ...column("low").reverse()],
    fill: "toself", fillcolor: colour("--band"), line: { width: 0 }, mode: "lines", hoverinfo: "skip",
  };
  const curve = {
    x: column("labels"),
    y: column("f1"),
    customdata: points.map((point) => [point.name, point.low, point.high, point.n]),
    error_y: {
      type: "data", symmetric: false, thickness: 1.5, width: 4,
      array: points.map((point) => point.high - point.f1),
      arrayminus: points.map((point) => point.f1 - point.low),
    },
    mode: "lines+markers", line: { width: 2 }, marker: { size: 8 },
    hovertemplate:
      "<b>%{customdata[0]}</b><br>micro F1 %{y:.2f} (%{customdata[1]:.2f}–%{customdata[2]:.2f})" +
      "<br>%{x} human labels, n = %{customdata[3]} audit items<extra></extra>",
  };
  const axis = { gridcolor: colour("--line"), zeroline: false, fixedrange: true };
  Plotly.react(box, [band, curve], {
    showlegend: false, hovermode: "closest", colorway: [colour("--accent")],
    font: { family: "system-ui, sans-serif", size: 13, color: colour("--soft") },
    paper_bgcolor: "rgba(0,0,0,0)", plot_bgcolor: "rgba(0,0,0,0)",
    margin: { l: 50, r: 15, t: 10, b: 45 },
    hoverlabel: { bgcolor: colour("--card"), bordercolor: colour("--accent"), font: { color: colour("--ink") } },
    xaxis: { ...axis, title: { text: "human labels" }, rangemode: "tozero", tickformat: ",d" },
    yaxis: { ...axis, title: { text: "micro F1" }, range: [0, 1] },
  }, { displayModeBar: false, responsive: true });
}

function replace(fresh) {
  const opened = [...main.querySelectorAll("details[open]")].map((details) => details.id);
  const link = main.contains(document.activeElement) && document.activeElement.getAttribute("href");
  const plot = document.getElementById("curve");
  main.replaceChildren(...fresh.childNodes);
  const place = document.getElementById("curve");
  if (plot && place) { // the drawn plot moves over, so that it does not flicker
    plot.dataset.points = place.dataset.points;
    place.replaceWith(plot);
  }
  for (const id of opened) document.getElementById(id)?.setAttribute("open", "");
  if (link) main.querySelector(`[href="${CSS.escape(link)}"]`)?.focus({ preventScroll: true });
  localTimes();
  drawCurve();
}

async function refresh() {
  const selecting = !getSelection().isCollapsed;
  if (document.hidden || selecting) return;
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
drawCurve();
setTimeout(again, EVERY);
document.addEventListener("visibilitychange", refresh);
matchMedia("(prefers-color-scheme: dark)").addEventListener("change", drawCurve);
