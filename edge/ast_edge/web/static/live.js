// Live: level, waterfall, and the scores of all labels with their thresholds.
import { $, h, percent, t } from "./dom.js";
import { advice, change, page, words } from "./main.js";
import { SPAN, Waterfall } from "./waterfall.js";

const POINTS = 160, FEW = 12, FLOOR = -90;
let waterfall = null, meter = null, rows = new Map(), list = null, open = null, all = false, wanted = "", sorted = 0;
let times = new Float64Array(POINTS), scores = [], head = -1, size = 0, trial = new Map(), levels = [], held = { db: FLOOR, at: 0 }, more = null;

const canvas = h("canvas", { class: "fall", role: "img", tabindex: 0 }), tip = h("span", { class: "tip" });

export function columns(...args) {
  waterfall ??= new Waterfall(canvas, page, tip);
  waterfall.add(...args);
}

export function scored(time, values) {
  if (!page.labels || values.length !== page.labels.labels.length) return;
  if (scores.length !== values.length) { scores = Array.from(values, () => new Uint16Array(POINTS)); head = -1; size = 0; }
  head = (head + 1) % POINTS; size = Math.min(POINTS, size + 1);
  times[head] = time;
  values.forEach((v, n) => { scores[n][head] = v; });
  if (list?.isConnected) refresh();
}

export function changed() {
  waterfall?.reset(); scores = []; head = -1; size = 0; trial.clear(); rows.clear(); open = null; levels = []; held = { db: FLOOR, at: 0 };
  list?.replaceChildren();
}
export function labelled() {
  const slugs = page.labels.labels.map(l => l.slug).join();
  if (slugs !== labelled.before) { labelled.before = slugs; scores = []; head = -1; size = 0; rows.clear(); list?.replaceChildren(); }
  refresh(true);
}
export function loaded() { refresh(true); }

export function stated() {
  const level = page.state.sources[page.source].level;
  if (level) { levels.push(level.rms); if (levels.length > SPAN) levels.shift(); }
  if (meter?.isConnected) drawLevel(level);
}

function drawLevel(level) {
  const scale = db => Math.max(0, Math.min(100, (db - FLOOR) / -FLOOR * 100));
  const now = Date.now(), peak = level ? level.peak : FLOOR;
  if (peak >= held.db || now - held.at > 5000) held = { db: peak, at: now };
  const floor = levels.length > 4 ? [...levels].sort((a, b) => a - b)[Math.floor(levels.length * 0.1)] : FLOOR;
  const clips = peak > -0.2 || page.state.sources[page.source].state === "clipping";
  const [bar, hold, ground, text] = meter.parts;
  bar.style.width = scale(level ? level.rms : FLOOR) + "%";
  hold.style.left = scale(held.db) + "%"; ground.style.left = scale(floor) + "%";
  meter.classList.toggle("clips", clips);
  text.textContent = level ? `${level.rms.toFixed(0)} dBFS · ${t("peak")} ${held.db.toFixed(0)}${floor > FLOOR ? ` · ${t("floor")} ${floor.toFixed(0)}` : ""}${clips ? " · " + t("clipping") : ""}` : t("noSound");
  $("why").textContent = words(page.source)[1] === "good" ? "" : page.state.sources[page.source].detail;
  $("advice").textContent = advice(page.source);
  $("engine").textContent = page.state.sources[page.source].engine ?? page.state.engine;
}

export function show() {
  const parts = [h("i", { class: "bar" }), h("i", { class: "hold" }), h("i", { class: "floor" }), h("span", { class: "value" })];
  meter = h("div", { class: "meter" }, h("div", { class: "track" }, parts.slice(0, 3)), parts[3]);
  meter.parts = parts;
  canvas.setAttribute("aria-label", t("waterfall"));
  waterfall ??= new Waterfall(canvas, page, tip);
  list = h("ul", { class: "scores" });
  more = h("button", { class: "quiet", onclick: () => { all = !all; refresh(true); } });
  const pause = h("button", { class: "quiet", onclick: () => {
    waterfall.held = !waterfall.held; waterfall.freeze(waterfall.held); pause.textContent = t(waterfall.held ? "go" : "freeze"); } }, t(waterfall.held ? "go" : "freeze"));
  rows.clear();
  queueMicrotask(() => { stated(); waterfall.run(); refresh(true); });
  return [
    h("section", { class: "card", "aria-label": t("level") }, h("div", { class: "line" }, h("h2", {}, t("level")), meter), h("p", { id: "why", class: "error" }), h("p", { id: "advice", class: "hint" })),
    h("section", { class: "card fallcard" }, h("div", { class: "line over" }, h("h2", {}, t("minute")), tip, pause), canvas),
    h("section", { class: "card" }, h("div", { class: "line" }, h("h2", {}, t("scores")),
      h("input", { type: "search", placeholder: t("find"), "aria-label": t("find"), value: wanted, oninput: e => { wanted = e.target.value.toLowerCase(); refresh(true); } })), list, more),
    h("p", { class: "hint" }, t("engine") + ": ", h("span", { id: "engine" })),
  ];
}

export function hide() { waterfall?.stop(); }

const value = n => head < 0 || !scores[n] ? 0 : scores[n][head] / 65535;

function refresh(force) {
  if (!list?.isConnected || !page.labels) return;
  const labels = page.labels.labels, now = Date.now();
  if (force || now - sorted > 1500) {
    sorted = now;
    const order = labels.map((label, n) => n).filter(n => labels[n].name.toLowerCase().includes(wanted));
    order.sort((a, b) => recent(b) - recent(a) || a - b);
    const few = all || wanted ? order : order.slice(0, FEW);
    if (open !== null && !few.includes(open) && open < labels.length) few.push(open);
    const nodes = few.slice(0, 1000).map(row);
    if (nodes.some((node, n) => list.children[n] !== node) || list.children.length !== nodes.length) {
      const focus = document.activeElement;
      list.replaceChildren(...nodes);
      if (focus && list.contains(focus)) focus.focus({ preventScroll: true });
    }
    more.hidden = labels.length <= FEW || Boolean(wanted);
    more.textContent = all ? t("fewer") : t("all", { n: labels.length });
  }
  const box = list.getBoundingClientRect();
  for (const node of list.children) {
    if (list.children.length > 40) { // only what is in sight
      const at = node.getBoundingClientRect();
      if (at.bottom < 0 || at.top > innerHeight + box.x) continue;
    }
    update(node);
  }
}

// The highest of the last five seconds, so that rows do not jump with every step.
function recent(n) {
  let best = 0;
  for (let i = 0; i < Math.min(size, 10); i++) best = Math.max(best, scores[n]?.[(head - i + POINTS) % POINTS] ?? 0);
  return Math.round(best / 1300);
}

function row(n) {
  if (rows.has(n)) return rows.get(n);
  const label = page.labels.labels[n];
  const line = h("canvas", { class: "spark", "aria-hidden": "true" }), number = h("span", { class: "number" });
  const button = h("button", { class: "row", "aria-expanded": "false", onclick: () => toggle(n) },
    h("span", { class: "name" }, label.name), line, number);
  const node = h("li", {}, button);
  Object.assign(node, { n, line, number, button });
  line.addEventListener("pointerdown", event => { if (open === n) drag(event, node); });
  rows.set(n, node);
  if (open === n) expand(node);
  return node;
}

function toggle(n) {
  const before = rows.get(open);
  if (before) { before.button.setAttribute("aria-expanded", "false"); before.classList.remove("open"); before.detail?.remove(); before.detail = null; }
  const same = open === n;
  open = same ? null : n;
  if (before && before.n !== n) update(before);
  if (!same) expand(rows.get(n));
  if (same) trial.delete(n);
  update(rows.get(n));
}

function expand(node) {
  const label = page.labels.labels[node.n];
  node.slider = h("input", { type: "range", min: 0.01, max: 1, step: 0.01, value: label.on, "aria-label": `${t("threshold")}: ${label.name}`,
    oninput: e => { trial.set(node.n, Number(e.target.value)); update(node); } });
  node.fired = h("output", {});
  node.keep = h("button", { hidden: true, onclick: async () => {
    const on = trial.get(node.n);
    if (await change(`${label.slug}/on`, on.toFixed(2), `${label.name} ${on.toFixed(2)}`)) trial.delete(node.n);
    update(node); } });
  node.reset = h("button", { class: "quiet", hidden: true, onclick: () => { trial.delete(node.n); node.slider.value = page.labels.labels[node.n].on; update(node); } });
  node.detail = h("div", { class: "detail" }, h("label", {}, h("span", {}, t("threshold")), node.slider), node.fired, node.keep, node.reset);
  node.append(node.detail);
  node.classList.add("open");
  node.button.setAttribute("aria-expanded", "true");
}

function drag(event, node) {
  event.preventDefault(); event.stopPropagation();
  const move = e => {
    const box = node.line.getBoundingClientRect();
    const on = Math.max(0.01, Math.min(1, 1 - (e.clientY - box.top - 3) / (box.height - 6)));
    trial.set(node.n, Number(on.toFixed(2))); node.slider.value = on; update(node);
  };
  node.line.setPointerCapture(event.pointerId);
  node.line.onpointermove = move;
  node.line.onpointerup = () => { node.line.onpointermove = node.line.onpointerup = null; };
  node.button.addEventListener("click", e => { e.stopImmediatePropagation(); }, { once: true, capture: true });
  move(event);
}

// How often a threshold would have been reached, with the label's own hysteresis.
function firings(n, on, off) {
  const from = page.now() - SPAN, found = [];
  let heard = false;
  for (let i = size - 1; i >= 0; i--) {
    const at = (head - i + POINTS) % POINTS, v = scores[n][at] / 65535;
    if (times[at] < from - 5) continue;
    if (!heard && v >= on) { heard = true; found.push(times[at]); } else if (heard && v < Math.min(on, off)) heard = false;
  }
  return found;
}

function update(node) {
  const { n, line } = node, label = page.labels?.labels[n];
  if (!label) return;
  const v = value(n), on = trial.get(n) ?? label.on;
  node.number.textContent = percent(v);
  node.classList.toggle("hot", v >= label.on); node.classList.toggle("off", !label.enabled);
  if (node.detail) {
    const times_ = scores[n] ? firings(n, on, label.off).length : 0;
    node.fired.textContent = `${t("on")} ${on.toFixed(2)} · ${t("off")} ${label.off.toFixed(2)} — ${times_ === 1 ? t("fired1") : t("fired", { n: times_ })}`;
    const differs = trial.has(n) && Math.abs(on - label.on) > 0.004;
    node.keep.hidden = !differs || !page.state.changes; node.reset.hidden = !differs;
    node.keep.textContent = t("keep", { value: on.toFixed(2) }); node.reset.textContent = t("reset", { value: label.on.toFixed(2) });
  }
  spark(line, n, on, label);
}

function spark(line, n, on, label) {
  const ratio = Math.min(2, devicePixelRatio || 1), w = line.clientWidth, hgt = line.clientHeight;
  if (!w) return;
  if (line.width !== Math.round(w * ratio) || line.height !== Math.round(hgt * ratio)) { line.width = Math.round(w * ratio); line.height = Math.round(hgt * ratio); }
  const g = line.getContext("2d"), style = getComputedStyle(line), y = p => hgt - 3 - p * (hgt - 6);
  g.setTransform(ratio, 0, 0, ratio, 0, 0); g.clearRect(0, 0, w, hgt);
  const dash = (p, colour, pattern) => { g.strokeStyle = colour; g.setLineDash(pattern); g.lineWidth = 1; g.beginPath(); g.moveTo(0, y(p)); g.lineTo(w, y(p)); g.stroke(); g.setLineDash([]); };
  dash(label.off, style.getPropertyValue("--line"), [2, 4]);
  dash(on, style.getPropertyValue(trial.has(n) ? "--warm" : "--muted"), [5, 3]);
  if (!scores[n] || !size) return;
  const newest = times[head], x = time => w - 2 - (newest - time) / SPAN * (w - 2);
  g.strokeStyle = style.getPropertyValue("--accent"); g.lineWidth = 1.5; g.lineJoin = "round"; g.beginPath();
  let before = null;
  for (let i = size - 1; i >= 0; i--) {
    const at = (head - i + POINTS) % POINTS, p = scores[n][at] / 65535;
    if (newest - times[at] > SPAN + 1) continue;
    if (before !== null && times[at] - before < 4) g.lineTo(x(times[at]), y(p)); else g.moveTo(x(times[at]), y(p));
    before = times[at];
  }
  g.stroke();
  if (trial.has(n)) {
    g.fillStyle = style.getPropertyValue("--warm");
    for (const time of firings(n, on, label.off)) { g.beginPath(); g.arc(x(time), y(on), 3, 0, 7); g.fill(); }
  }
}
