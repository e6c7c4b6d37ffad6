"use strict";
// Label Studio's labelling page as annotators meet it: in their language, with one set of keys,
// answers that do not contradict themselves, and a queue that explains itself. `window.biasloop`
// comes before this file. Each part is guarded: if one fails, labelling goes on without it.

(() => {
const { language, phrases, words, controls } = window.biasloop;
const EVERY = 3000; // milliseconds between two questions for work
const SETTLED = 500; // milliseconds: a loading page says for a moment that its queue is empty
const root = document.documentElement;

function guarded(part) {
  return (...values) => {
    try { return part(...values); } catch (error) { console.warn("biasloop:", error); }
  };
}

// --- language -------------------------------------------------------------------------------------

const ATTRIBUTES = ["title", "aria-label", "data-tooltip", "placeholder"];
const CAMPAIGN = [ // words of the campaign, the ad or the annotator, which nobody translates
  ".lsf-richtext", ".lsf-choices", ".lsf-labels", ".lsf-main-view :is(h1, h2, h3, h4, h5, h6)",
  ".ant-collapse-header-text", "[data-testid=textarea-regions] .ant-typography", "textarea",
  ".lsf-instructions", "#biasloop-bar", "script", "style",
].join();

function translated(text) {
  const phrase = text.trim();
  const numbers = phrase.match(/\d+/g) ?? [];
  const known = phrases[phrase] ?? phrases[phrase.replace(/\d+/g, "N")];
  if (known === undefined) return text;
  return text.replace(phrase, () => known.replace(/\bN\b/g, (n) => numbers.shift() ?? n));
}

function translateText(node) {
  if (node.parentElement?.closest(CAMPAIGN)) return;
  const text = translated(node.nodeValue);
  if (text !== node.nodeValue) node.nodeValue = text;
}

function translateAttribute(element, name) {
  if (element.parentElement?.closest(CAMPAIGN)) {
    // Label Studio's name of a label, which the campaign shows by other words
    if (name === "title" && element.closest(".lsf-labels")) element.removeAttribute(name);
    return;
  }
  const text = translated(element.getAttribute(name));
  if (text !== element.getAttribute(name)) element.setAttribute(name, text);
}

function translateAll(node) {
  if (node.nodeType === Node.TEXT_NODE) return translateText(node);
  if (node.nodeType !== Node.ELEMENT_NODE) return;
  for (const element of [node, ...node.querySelectorAll("*")]) {
    for (const name of ATTRIBUTES) if (element.hasAttribute(name)) translateAttribute(element, name);
  }
  const texts = document.createTreeWalker(node, NodeFilter.SHOW_TEXT);
  while (texts.nextNode()) translateText(texts.currentNode);
}

const translateChanges = guarded((changes) => {
  for (const change of changes) {
    if (change.type === "characterData") translateText(change.target);
    else if (change.type === "childList") change.addedNodes.forEach(translateAll);
    else if (ATTRIBUTES.includes(change.attributeName) && change.target.hasAttribute(change.attributeName)) {
      translateAttribute(change.target, change.attributeName);
    }
  }
});

// --- answers --------------------------------------------------------------------------------------

const nameOf = (choice) => choice.alias || choice._value || choice.value;

function currentAnswer() {
  const annotation = window.Htx?.annotationStore?.selected;
  const choices = annotation?.names?.get(controls.labels);
  if (!choices || !annotation.editable) return null;
  const spans = controls.spans ? annotation.names.get(controls.spans) : null;
  const marks = new Map();
  for (const region of annotation.regionStore.regions) {
    for (const result of region.results) {
      if (result.from_name === spans) for (const label of result.mainValue) {
        marks.set(`${region.id} ${label}`, { region, label });
      }
    }
  }
  return {
    id: annotation.id, choices, spans, marks,
    chosen: choices.children.filter((choice) => choice.sel).map(nameOf),
    active: spans?.children.filter((label) => label.selected).map(nameOf) ?? [],
  };
}

// What follows from the last click or key: labels to turn on or off, marks to remove, and the label
// of which words are marked next. The explicit negative stands alone; a mark has its label.
function consequences(before, now, none) {
  const added = now.chosen.filter((label) => !before.chosen.includes(label));
  const removed = before.chosen.filter((label) => !now.chosen.includes(label));
  const marked = [...now.marks].filter(([key]) => !before.marks.has(key)).map(([, mark]) => mark.label);
  const alone = none !== null && added.includes(none) && !marked.length;
  const wanted = alone ? [none]
    : [...new Set([...now.chosen, ...marked])].filter((label) => label !== none || !(added.length + marked.length));
  const unmarked = [...now.marks.values()].filter(
    ({ label }) => alone || (removed.includes(label) && !marked.includes(label)));
  const changed = added.length + removed.length + marked.length > 0;
  return { wanted, unmarked: unmarked.map(({ region }) => region), changed, latest: [...added, ...marked].at(-1) };
}

let before = null;
let latest = null; // the label that was chosen or marked last

function activate(now) {
  const usable = now.chosen.filter((label) => label !== controls.none);
  const label = usable.includes(latest) ? latest : usable.at(-1);
  if (now.active.join() === (label ?? "")) return;
  now.spans.unselectAll();
  now.spans.children.find((child) => nameOf(child) === label)?.setSelected(true);
}

// Only what is chosen can be marked by a click; a label's key with Shift marks any.
function showChosen({ spans, chosen }) {
  const buttons = [...document.querySelectorAll(".lsf-labels .lsf-label")];
  if (buttons.length !== spans.children.length) return;
  spans.children.forEach((label, i) => {
    buttons[i].toggleAttribute("data-biasloop-unchosen", !chosen.includes(nameOf(label)));
  });
}

const followAnswer = guarded(() => {
  let now = currentAnswer();
  if (now && before?.id === now.id) {
    const next = consequences(before, now, controls.none);
    latest = next.latest ?? latest;
    for (const choice of now.choices.children) {
      if (choice.sel !== next.wanted.includes(nameOf(choice))) choice.toggleSelected();
    }
    for (const region of next.unmarked) region.deleteRegion();
    now = currentAnswer();
    if (next.changed && now.spans) activate(now);
  }
  before = now;
  if (now?.spans) showChosen(now);
});

const SUBMIT = ":is([data-testid=bottombar-submit-button], [data-testid=bottombar-update-button])";

const submitFromRewrite = guarded((event) => {
  if (event.key !== "Enter" || !(event.ctrlKey || event.metaKey) || !event.target.matches("textarea")) return;
  event.preventDefault();
  event.stopPropagation();
  event.target.blur();
  document.querySelector(SUBMIT)?.click();
});

// --- the ad ---------------------------------------------------------------------------------------

// The places of the sentence in the ad; lines and runs of white space count as one space.
function placesOf(sentence, ad) {
  const spots = [];
  let text = "";
  const nodes = document.createTreeWalker(ad, NodeFilter.SHOW_TEXT);
  while (nodes.nextNode()) {
    const node = nodes.currentNode;
    for (let offset = 0; offset <= node.length; offset++) {
      const blank = offset === node.length || /\s/.test(node.data[offset]);
      if (blank && text.endsWith(" ")) continue;
      text += blank ? " " : node.data[offset];
      spots.push({ node, offset });
    }
  }
  const places = [];
  for (let start = text.indexOf(sentence); start >= 0; start = text.indexOf(sentence, start + 1)) {
    const range = new Range();
    const last = spots[start + sentence.length - 1];
    range.setStart(spots[start].node, spots[start].offset);
    range.setEnd(last.node, last.offset + 1);
    places.push(range);
  }
  return places;
}

function scrollTo(place) {
  let box = place.startContainer.parentElement;
  while (box && box.scrollHeight <= box.clientHeight) box = box.parentElement;
  if (!box?.closest(".lsf-main-view") || box.matches(".lsf-main-view")) return;
  const above = place.getBoundingClientRect().top - box.getBoundingClientRect().top;
  box.scrollTop += above - box.clientHeight / 3;
}

let shownAd = "";

const showInAd = guarded(() => {
  const sentence = window.Htx?.task?.dataObj?.[controls.sentence]?.trim().replace(/\s+/g, " ");
  const ad = [...document.querySelectorAll(".lsf-main-view .lsf-richtext__container")].at(1);
  const shown = `${sentence}\n${ad?.textContent}`;
  if (!sentence || !ad?.textContent || shown === shownAd) return;
  shownAd = shown;
  ad.closest(".ant-collapse-item")?.querySelector("[aria-expanded=false]")?.click();
  const places = placesOf(sentence, ad);
  if (window.CSS?.highlights) CSS.highlights.set("biasloop-sentence", new Highlight(...places));
  if (places.length) requestAnimationFrame(guarded(() => scrollTo(places[0])));
});

// --- the line above -------------------------------------------------------------------------------

async function ask(path) {
  const answer = await fetch(path, { cache: "no-store", headers: { Accept: "application/json" } });
  if (answer.status === 401) location.reload(); // the page says how to come back
  if (!answer.ok) throw new Error(`${path}: ${answer.status}`);
  return answer.json();
}

function bar() {
  const existing = document.getElementById("biasloop-bar");
  if (existing || !document.body) return existing;
  const line = document.createElement("div");
  const batch = document.createElement("span");
  const guideline = document.createElement("a");
  line.id = "biasloop-bar";
  batch.title = words.batch_title;
  guideline.href = "/gateway/guideline";
  guideline.target = "biasloop-guideline"; // so that the answer at hand stays as it is
  guideline.textContent = words.guideline;
  line.append(batch, guideline);
  document.body.append(line);
  return line;
}

function showBatch(batch) {
  const text = batch ? words.batch.replace("{done}", batch.done).replace("{of}", batch.of) : "";
  if (bar()) bar().firstChild.textContent = text;
}

let countedTask = null;

const count = guarded(() => {
  const task = window.Htx?.task?.id;
  if (!bar() || !task || task === countedTask) return;
  countedTask = task;
  ask("/gateway/batch").then(showBatch).catch((error) => console.warn("biasloop:", error));
});

// --- the empty queue ------------------------------------------------------------------------------

let waiting = false;

const pause = (milliseconds) => new Promise((resume) => setTimeout(resume, milliseconds));
const emptyQueue = () => document.querySelector("#label-studio-dm .ant-result-success");

function showState({ state, message, batch }) {
  root.dataset.biasloopQueue = state;
  const title = emptyQueue()?.querySelector(".ant-result-title");
  if (title && message && title.textContent !== message) title.textContent = message;
  showBatch(batch);
}

async function waitForWork() {
  waiting = true;
  await pause(SETTLED);
  while (emptyQueue()) {
    if (!document.hidden) { // a forgotten tab must not hold a task
      try {
        const next = await ask("/gateway/next");
        if (!emptyQueue()) break;
        if (next.state === "work") return location.reload(); // once: a second would stop the first
        showState(next);
      } catch (error) { console.warn("biasloop:", error); }
    }
    await pause(EVERY);
  }
  waiting = false;
  delete root.dataset.biasloopQueue;
}

const watchQueue = guarded(() => {
  if (!waiting && emptyQueue()) waitForWork();
});

// --- start ----------------------------------------------------------------------------------------

function follow(changes) {
  translateChanges(changes);
  followAnswer();
  showInAd();
  count();
  watchQueue();
}

root.lang = language;
root.dataset.biasloop = ""; // page.css begins here
root.style.setProperty("--biasloop-submit-key", JSON.stringify(words.submit_key));
root.style.setProperty("--biasloop-skip-key", JSON.stringify(words.skip_key));
document.addEventListener("keydown", submitFromRewrite, true);
guarded(translateAll)(root);
new MutationObserver(follow).observe(root, {
  subtree: true, childList: true, characterData: true, attributes: true,
  attributeFilter: [...ATTRIBUTES, "class"],
});
})();
