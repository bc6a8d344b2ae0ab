// Status: counters, the last warnings, and where to look next.
import { call, clock, day, h, language, span, speak, t } from "./dom.js";
import { advice, leave, page, words } from "./main.js";

let body = null, log = { lines: [], viewers: 0 }, timer = null;

export function show() {
  body = h("div", {});
  queueMicrotask(draw);
  fetchLog();
  timer = setInterval(fetchLog, 5000);
  return [body];
}
export function hide() { body = null; clearInterval(timer); }
export { draw as stated };

async function fetchLog() {
  try { log = await call("api/log"); } catch { return; } // the banner says that nobody is there
  draw();
}

const pairs = rows => h("dl", {}, rows.filter(Boolean).map(([key, value]) => [h("dt", {}, key), h("dd", {}, value)]).flat());

function draw() {
  const s = page.state;
  if (!body?.isConnected || !s || document.activeElement?.matches?.("#language")) return;
  const b = s.broker;
  body.replaceChildren(
    h("section", { class: "card" }, h("h2", {}, s.node), pairs([
      [t("version"), s.version], [t("uptime"), span(s.uptime)], [t("memory"), `${Math.round(s.memory_bytes / 2 ** 20)} MiB`],
      [t("model"), s.bundle], [t("engine"), s.engine], s.real_time_factor !== null && [t("load"), `${s.real_time_factor.toFixed(3)} s`],
      [t("broker"), !b ? t("noBroker") : `${b.address}: ${b.connected ? t("connected") : t("notConnected") + (b.fault ? ", " + b.fault : "")}`],
      b?.waiting && ["", t("waiting", { n: b.waiting })], b?.lost && ["", t("lostEvents", { n: b.lost })],
      s.skipped_windows && [t("skipped"), s.skipped_windows], s.unusable_windows && [t("unusable"), s.unusable_windows], [t("viewers"), log.viewers]]),
    advice("") ? h("p", { class: "hint" }, advice("")) : "",
    s.reload?.refusal ? h("p", { class: "error" }, t("refusal", { why: s.reload.refusal })) : ""),
    ...Object.entries(s.sources).map(([name, source]) => h("section", { class: "card" },
      h("h2", {}, name, " ", h("span", { class: "chip " + words(name)[1] }, words(name)[0])),
      source.detail ? h("p", { class: "error" }, source.detail) : "",
      advice(name) ? h("p", { class: "hint" }, advice(name)) : "",
      pairs([[t("heard"), span(source.audio_seconds)], [t("count"), source.events], [t("latency"), source.latency === null ? "–" : `${source.latency.toFixed(2)} s`],
        [t("gaps"), source.gaps], [t("dropped"), source.dropped_windows], source.bad_samples && [t("bad"), source.bad_samples], [t("model"), source.bundle ?? "–"]]))),
    h("section", { class: "card" }, h("h2", {}, t("warnings")), log.lines.length ? h("ul", { class: "log" }, log.lines.slice().reverse().map(l =>
      h("li", { class: l.level }, h("time", {}, `${day(Date.parse(l.time))} ${clock(Date.parse(l.time))}`), " ", l.message, l.times > 1 ? ` (${t("times", { n: l.times })})` : ""))) : h("p", { class: "hint" }, t("noWarnings")),
    h("p", { class: "hint" }, t("doctor"))),
    h("section", { class: "card line" }, h("label", { for: "language" }, t("language")), h("select", { id: "language", onchange: e => speak(e.target.value) },
      [["en", "English"], ["de", "Deutsch"]].map(([value, text]) => h("option", { value, selected: value === language }, text))),
    h("button", { class: "quiet", onclick: leave }, t("logout"))));
}
