// Events: what runs, what was, what was held back; right or wrong with one key or one tap.
import { call, clock, day, h, hue, percent, span, t, toast } from "./dom.js";
import { page } from "./main.js";

let body = null, label = "", source = "", cursor = null, picked = new Set(), last = [], selecting = false, due = null;

const ms = event => Date.parse(event.onset);
const fits = e => (!label || e.slug === label) && (!source || e.source === source);
const newest = () => [...page.events.values()].filter(fits).sort((a, b) => ms(b) - ms(a)).slice(0, 200);

export function show() {
  body = h("div", {});
  queueMicrotask(draw);
  return [body];
}
export function hide() { body = null; }
function soon() { // many events at once are drawn once
  if (body && !due) due = setTimeout(() => { due = null; draw(); }, 200);
}
export { soon as happened, soon as loaded, soon as held, soon as labelled };
export function stated() { if ([...page.events.values()].some(e => e.type !== "end")) soon(); }

function draw() {
  if (!body?.isConnected || !page.state) return;
  if (document.activeElement?.matches?.(".filters select, dialog *")) return;
  const events = newest(), sources = Object.keys(page.state.sources), running = events.filter(e => e.type !== "end");
  const labels = new Map([...page.events.values()].map(e => [e.slug, e.label]));
  const focus = document.activeElement?.closest?.("[data-id]")?.dataset.id;
  const option = (value, text, now) => h("option", { value, selected: value === now }, text);
  body.replaceChildren(
    h("div", { class: "filters line" },
      h("select", { "aria-label": t("filter") + ": " + t("label"), onchange: e => { label = e.target.value; e.target.blur(); draw(); } },
        option("", t("anyLabel"), label), [...labels].sort((a, b) => a[1].localeCompare(b[1])).map(([slug, name]) => option(slug, name, label))),
      sources.length > 1 ? h("select", { "aria-label": t("filter") + ": " + t("source"), onchange: e => { source = e.target.value; e.target.blur(); draw(); } },
        option("", t("anySource"), source), sources.map(s => option(s, s, source))) : "",
      page.state.changes ? h("button", { class: "quiet", "aria-pressed": String(selecting), onclick: () => { selecting = !selecting; picked.clear(); draw(); } }, t("select")) : "",
      h("span", { class: "export" }, t("export") + ": ", ["csv", "audacity", "raven"].map(kind =>
        h("a", { href: `api/export?${new URLSearchParams({ format: kind, slug: label, source })}`, download: "" }, { csv: "CSV", audacity: "Audacity", raven: "Raven" }[kind])))),
    picked.size ? h("div", { class: "batch card line" }, h("strong", {}, t("selected", { n: picked.size })), verdicts([...picked])) : "",
    running.length ? h("section", { class: "card now" }, h("h2", {}, t("running")), h("ul", { class: "list" }, running.map(item))) : "",
    strips(events),
    h("section", { class: "card" }, h("h2", {}, t("recent")),
      events.length > running.length ? h("ul", { class: "list" }, byDay(events.filter(e => e.type === "end"))) : h("p", { class: "hint" }, t("none")),
      page.state.changes ? h("p", { class: "hint keys" }, t("keys")) : ""),
    h("section", { class: "card" }, h("h2", {}, t("held")), h("p", { class: "hint" }, t("heldHint")), heldList()));
  if (focus) body.querySelector(`[data-id="${CSS.escape(focus)}"]`)?.focus({ preventScroll: true });
}

function byDay(events) {
  let before = "";
  return events.flatMap(event => {
    const today = day(ms(event)), nodes = today === before ? [] : [h("li", { class: "day" }, today)];
    before = today;
    return [...nodes, item(event)];
  });
}

function item(event) {
  const ended = event.type === "end", verdict = event.verdict;
  const node = h("li", { "data-id": event.id, tabindex: -1, class: `event ${verdict ?? ""} ${cursor === event.id ? "cursor" : ""}` },
    selecting && ended ? h("input", { type: "checkbox", "aria-label": `${t("select")}: ${event.label}`, checked: picked.has(event.id),
      onchange: e => { e.target.checked ? picked.add(event.id) : picked.delete(event.id); draw(); } }) : "",
    h("time", { datetime: event.onset, title: `${day(ms(event))} ${clock(ms(event))}` }, clock(ms(event))),
    dot(event.label), h("span", { class: "what" }, h("strong", {}, event.label),
      verdict ? h("span", { class: "chip " + (verdict === "right" ? "good" : "bad") }, verdict === "other" ? `${t("other").replace("…", "")}${event.true}` : t(verdict)) : "",
      h("small", {}, `${event.source} · ${span(event.duration)}${ended ? "" : " " + t("sofar")} · ${percent(event.peak)}`)),
    event.clip ? h("button", { class: "quiet", "aria-label": `${t("play")}: ${event.label}`, onclick: e => play(e.target, event) }, "▶") : "",
    page.state.changes && ended ? verdicts([event.id], verdict, event.label) : "");
  return node;
}

// A style sheet alone may not know a label's colour, and a style attribute is not allowed.
function dot(name) { const node = h("i", { class: "dot", "aria-hidden": "true" }); node.style.background = `hsl(${hue(name)} 65% 50%)`; return node; }

function verdicts(ids, verdict, about = "") {
  const button = (key, sign, now) => h("button", { class: "mark " + key, "aria-label": `${t(key)}${about && ": " + about}`, title: t(key), "aria-pressed": String(now), onclick: () => key === "other" ? ask(ids) : review(ids, now ? "undone" : key) }, sign);
  return h("span", { class: "marks" }, button("right", "✓", verdict === "right"), button("wrong", "✗", verdict === "wrong"), button("other", "…", verdict === "other"));
}

function play(button, event) {
  button.replaceWith(h("audio", { controls: true, autoplay: true, src: "api/clip?id=" + event.id }));
}

async function review(ids, verdict, name = null) {
  const before = ids.map(id => [id, page.events.get(id)?.verdict, page.events.get(id)?.true]);
  let kept = [];
  try { kept = (await call("api/reviews", { method: "POST", body: { ids, verdict, label: name } })).clips; }
  catch (fault) { toast(t("refused", { why: fault.message })); return; }
  for (const id of ids) {
    const event = page.events.get(id);
    if (event) { event.verdict = verdict === "undone" ? null : verdict; event.true = name; event.clip ||= kept.includes(id); }
  }
  last = verdict === "undone" ? [] : before;
  picked.clear();
  draw();
  if (verdict === "undone") return;
  toast(t("reviewed", { n: ids.length, verdict: verdict === "other" ? name : t(verdict) }), undo, t("undo"));
}

async function undo() {
  const before = last;
  last = [];
  for (const [id, verdict, name] of before) await review([id], verdict || "undone", verdict === "other" ? name : null);
}

function ask(ids) {
  const said = [...page.events.values()].map(e => e.true).filter(Boolean), names = [...new Set([...page.labels?.names ?? [], ...said])], list = h("datalist", { id: "names" }, [...names].sort().map(n => h("option", { value: n })));
  const field = h("input", { list: "names", id: "true", autocomplete: "off", required: true, maxlength: 80, "aria-describedby": "free" });
  const dialog = h("dialog", { "aria-label": t("choose"), onclose: () => dialog.remove() },
    h("form", { method: "dialog", onsubmit: () => { const found = names.find(n => n.toLowerCase() === field.value.trim().toLowerCase()); review(ids, "other", found ?? field.value.trim()); } },
      h("label", { for: "true" }, t("choose")), field, list, h("p", { class: "hint", id: "free" }, t("freeName")),
      h("div", { class: "line" }, h("button", {}, "OK"), h("button", { type: "button", class: "quiet", onclick: () => dialog.close() }, t("cancel")))));
  document.body.append(dialog);
  dialog.showModal();
}

// One line per label: the last 24 hours.
function strips(events) {
  const now = page.now() * 1000, from = now - 86400e3, labels = new Map();
  for (const event of events) if (ms(event) > from) labels.set(event.label, [...(labels.get(event.label) ?? []), event]);
  if (!labels.size) return "";
  const ordered = [...labels].sort((a, b) => b[1].length - a[1].length).slice(0, 12);
  const place = time => (time - from) / 86400e3 * 100;
  const hours = [];
  for (let time = new Date(from).setMinutes(0, 0, 0) + 3600e3; time < now; time += 3600e3) if (new Date(time).getHours() % 6 === 0) hours.push(time);
  return h("section", { class: "card" }, h("h2", {}, t("today")), h("div", { class: "strips" },
    ordered.map(([name, own]) => {
      const strip = h("div", { class: "strip", role: "img", "aria-label": `${name}: ${own.length}` }, own.map(event => {
        const mark = h("i", {});
        mark.style.left = `min(${place(ms(event))}%, 100% - 3px)`; mark.style.width = Math.max(0.25, event.duration / 864) + "%"; mark.style.background = `hsl(${hue(name)} 65% 50%)`;
        return mark;
      }));
      return [h("span", { class: "name" }, name), strip, h("span", { class: "number" }, own.length)];
    }).flat(), h("span", {}), h("div", { class: "hours", "aria-hidden": "true" }, hours.map(time => {
      const mark = h("small", {}, clock(time, false)); mark.style.left = place(time) + "%"; return mark; }))));
}

function heldList() {
  const found = page.held.filter(fits).slice(-100).reverse();
  if (!found.length) return h("p", { class: "hint" }, t("none"));
  return h("ul", { class: "list" }, found.map(e => h("li", { class: "event" },
    h("time", { datetime: e.onset }, clock(ms(e))), dot(e.label), h("span", { class: "what" }, h("strong", {}, e.label),
      h("small", {}, `${e.source} · ${span(e.duration)} · ${percent(e.peak)}`)),
    h("span", { class: "chip" }, t("why_" + e.why, { other: e.other })))));
}

export function key(event) {
  const ids = newest().filter(e => e.type === "end").map(e => e.id), at = ids.indexOf(cursor);
  const moves = { j: 1, k: -1, ArrowDown: 1, ArrowUp: -1 };
  if (event.key in moves) {
    cursor = ids[Math.max(0, Math.min(ids.length - 1, at + moves[event.key]))] ?? null;
    draw();
    body.querySelector(".cursor")?.scrollIntoView({ block: "nearest" });
    event.preventDefault();
    return;
  }
  if (!page.state.changes) return;
  const target = picked.size ? [...picked] : at >= 0 ? [cursor] : [];
  if (event.key === "u" && last.length) undo();
  else if (!target.length) return;
  else if (event.key === "r") review(target, "right");
  else if (event.key === "w") review(target, "wrong");
  else if (event.key === "o") { event.preventDefault(); ask(target); }
  else if (event.key === "x") { selecting = true; picked.has(cursor) ? picked.delete(cursor) : picked.add(cursor); draw(); }
}
