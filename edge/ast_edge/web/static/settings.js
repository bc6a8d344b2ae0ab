// Settings: what commands over MQTT change as well, by the same door.
import { h, t, toast } from "./dom.js";
import { change, page } from "./main.js";

let body = null, wanted = "", minutes = null;

export function show() {
  body = h("div", {});
  queueMicrotask(draw);
  return [body];
}
export function hide() { body = null; }
export { draw as labelled, draw as changed };
export function stated() { const left = page.state.sources[page.source].snooze; if (left !== minutes) draw(); }

function draw() {
  if (!body?.isConnected || !page.state) return;
  const found = page.labels;
  minutes = page.state.sources[page.source].snooze;
  if (!page.state.changes) { body.replaceChildren(h("section", { class: "card" }, h("p", {}, t("readOnly")), found ? table(found, true) : "")); return; }
  if (!found || body.contains(document.activeElement) && document.activeElement.matches("input[type=number], input[type=search]")) return;
  body.replaceChildren(
    h("section", { class: "card" }, h("h2", {}, page.source),
      h("label", { class: "switch" }, h("input", { type: "checkbox", role: "switch", checked: found.enabled,
        onchange: e => set("enabled", e.target.checked ? "ON" : "OFF", t("report"), e.target) }), t("report")),
      h("div", { class: "line" }, h("strong", {}, minutes ? t("snoozed", { n: minutes }) : t("snooze")),
        [15, 60, 480].map(n => h("button", { class: "quiet", onclick: () => change("snooze", n, t("snooze")) }, n < 60 ? `${n} min` : `${n / 60} h`)),
        minutes ? h("button", { onclick: () => change("snooze", 0, t("wake")) }, t("wake")) : "")),
    h("section", { class: "card" }, h("div", { class: "line" }, h("h2", {}, t("thresholds")),
      h("input", { type: "search", placeholder: t("find"), "aria-label": t("find"), value: wanted, oninput: e => { wanted = e.target.value.toLowerCase(); sift(); } })),
    table(found, false)));
  sift();
}

function sift() {
  for (const row of body.querySelectorAll("[data-name]")) row.hidden = !row.dataset.name.includes(wanted);
}

function table(found, fixed) {
  return h("div", { class: "wide" }, h("table", {}, h("thead", {}, h("tr", {}, [t("label"), t("reported"), t("on"), t("off")].map(x => h("th", { scope: "col" }, x)))),
    h("tbody", {}, found.labels.map(label => h("tr", { "data-name": label.name.toLowerCase() }, h("th", { scope: "row" }, label.name),
      h("td", {}, h("input", { type: "checkbox", role: "switch", checked: label.enabled, disabled: fixed, "aria-label": `${t("reported")}: ${label.name}`,
        onchange: e => set(label.slug + "/enabled", e.target.checked ? "ON" : "OFF", label.name, e.target) })),
      ["on", "off"].map(key => h("td", {}, h("input", { type: "number", min: 0, max: 1, step: 0.01, value: label[key], disabled: fixed, "aria-label": `${t(key)}: ${label.name}`,
        onchange: e => number(label, key, e.target) }))))))));
}

async function set(path, value, what, box) {
  if (!await change(path, value, `${what}: ${value === "ON" ? t("on") : t("off")}`)) box.checked = !box.checked;
}

async function number(label, key, field) {
  if (!field.value || !field.validity.valid && !field.validity.stepMismatch) { field.value = label[key]; toast(t("refused", { why: "0 – 1" })); return; }
  if (!await change(`${label.slug}/${key}`, field.value, `${label.name} ${t(key)} ${field.value}`)) field.value = label[key];
}
