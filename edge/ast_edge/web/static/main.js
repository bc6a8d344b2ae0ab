// Boot, login, the connection, and which view is shown.
import { $, call, clock, h, span, t, toast } from "./dom.js";
import * as live from "./live.js";
import * as events from "./events.js";
import * as settings from "./settings.js";
import * as status from "./status.js";

const views = { live, events, settings, status };
const HIDDEN_MS = 10000, STILL_MS = 5000, DEAD_MS = 30000, MOST_EVENTS = 250;

export const page = {
  state: null, labels: null, axis: null, source: null,
  events: new Map(), held: [], columns: null,
  now: () => Date.now() / 1000 + page.skew, skew: 0,
};
const icon = h("img", { src: "icon.svg", alt: "", width: 26, height: 26 });
let socket = null, shown = null, name = "", lostAt = 0, heardAt = 0, tries = 0, wake = null, hideTimer = null, full = false, fresh = false;

function tell(kind, data) { for (const v of Object.values(views)) v[kind]?.(data); }

function banner(text, bad) {
  const place = $("banner");
  if (place.textContent !== text) place.textContent = text;
  document.body.classList.toggle("lost", Boolean(bad && text));
  place.className = text ? (bad ? "bad" : "wait") : "";
}

function connect() {
  clearTimeout(wake);
  if (socket || document.hidden) return;
  const url = new URL("api/live", location.href);
  url.protocol = url.protocol.replace("http", "ws");
  url.search = page.source ? "?source=" + encodeURIComponent(page.source) : "";
  url.hash = "";
  const mine = socket = new WebSocket(url);
  fresh = true;
  heardAt = Date.now(); // as long as any other silence, a connection may take to be made
  mine.binaryType = "arraybuffer";
  mine.onmessage = event => { if (mine === socket) take(event.data); };
  mine.onclose = event => {
    if (mine !== socket) return;
    socket = null;
    full = event.code === 4008;
    if (!lostAt) lostAt = Date.now();
    if (document.hidden) return;
    again();
  };
}

async function again() {
  banner(full ? t("full") : t("lost", { time: clock(lostAt) }), true);
  wake = setTimeout(async () => {
    try { await call("api/state"); connect(); } catch (fault) {
      if (fault.status === 401) login(); else again();
    }
  }, Math.min(15000, 500 * 2 ** Math.min(tries++, 5)) * (0.8 + 0.4 * Math.random()));
}

function disconnect() {
  clearTimeout(wake);
  const before = socket;
  socket = null;
  before?.close();
}

function take(data) {
  heardAt = Date.now();
  if (typeof data !== "string") { binary(data); return; }
  const message = JSON.parse(data);
  if (message.type === "state") {
    if (page.state && page.state.version !== message.version) return location.reload(); // these files are of before
    page.state = message;
    page.skew = message.time - Date.now() / 1000;
    if (!page.source || !(page.source in message.sources)) page.source = Object.keys(message.sources)[0];
    if (fresh) { fresh = false; lostAt = tries = 0; load(); } // from here on nothing is missed
    banner("");
    if (!shown) route();
    head();
    tell("stated");
  } else if (message.type === "axis") {
    page.axis = message; tell("axis");
  } else if (message.type === "labels") {
    page.labels = message; tell("labelled");
  } else if (message.type === "event") {
    merge(message.event);
    if (message.event.type === "start") $("said").textContent = t("began", { label: message.event.label });
    tell("happened", message.event);
  } else if (message.type === "held") {
    page.held.push(message.held);
    if (page.held.length > 200) page.held.shift();
    tell("held", message.held);
  }
}

function binary(buffer) {
  const view = new DataView(buffer), kind = view.getUint8(0), count = view.getUint16(2, true);
  const seconds = view.getFloat32(4, true), time = view.getFloat64(8, true);
  if (kind === 1) live.columns(time, seconds, view.getUint8(1), count, new Uint8Array(buffer, 16));
  else if (kind === 2) live.scored(time, new Uint16Array(buffer, 16));
}

function merge(event) {
  const before = page.events.get(event.id);
  if (before?.type === "end" && event.type !== "end") event = { ...event, ...before };
  page.events.set(event.id, { ...before, ...event });
  if (page.events.size > 2 * MOST_EVENTS) { // the newest stay, however long a tab is open
    const ordered = [...page.events.values()].sort((a, b) => Date.parse(b.onset) - Date.parse(a.onset));
    page.events = new Map(ordered.slice(0, MOST_EVENTS).reverse().map(e => [e.id, e]));
  }
}

async function load() {
  try {
    const [past, held] = await Promise.all([call("api/events"), call("api/held")]);
    page.held = held.held;
    const known = [...page.events.values()];
    page.events = new Map();
    past.events.forEach(merge);
    const newest = Math.max(0, ...past.events.map(e => Date.parse(e.onset)));
    // What was told meanwhile is newer than what was asked for.
    known.filter(e => page.events.has(e.id) ? e.type === "end" && page.events.get(e.id).type !== "end" : Date.parse(e.onset) >= newest).forEach(merge);
    tell("loaded");
  } catch (fault) { if (fault.status === 401) login(); }
}

export function choose(source) {
  if (source === page.source) return;
  page.source = source;
  page.labels = page.axis = null;
  disconnect();
  tell("changed");
  connect();
}

export async function change(path, value, what) {
  try { await call("api/settings", { method: "PUT", body: { path: `${page.source}/set/${path}`, value: String(value) } });
    toast(t("kept", { what }));
    return true;
  } catch (fault) { toast(t("refused", { why: fault.message })); return false; }
}

export function words(source) {
  const s = page.state.sources[source];
  if (s.snooze) return [t("snoozed", { n: s.snooze }), "wait"];
  if (s.quiet_for > 6 && !["ended", "failed"].includes(s.state)) return [t("quietFor", { span: span(s.quiet_for) }), "bad"];
  const kind = s.state === "listening" ? "good" : ["starting", "disabled", "ended"].includes(s.state) ? "wait" : "bad";
  return [t(s.state), kind];
}

// What doctor would advise about a source, or about the broker ("").
export const advice = about => page.state.hints[about] ? "→ " + t("hint_" + page.state.hints[about]) : "";

function head() {
  const state = page.state, sources = Object.keys(state.sources), [text, kind] = words(page.source);
  const sign = JSON.stringify([state.node, sources, page.source, text, kind, state.broker?.connected, name]);
  if (head.sign === sign) return;
  head.sign = sign;
  const picker = sources.length > 1
    ? h("select", { "aria-label": t("source"), onchange: e => choose(e.target.value) },
      sources.map(s => h("option", { value: s, selected: s === page.source }, s)))
    : h("strong", {}, page.source);
  const focused = document.activeElement?.closest?.("#top select");
  if (focused) return;
  $("top").replaceChildren(
    h("a", { class: "brand", href: "#live" }, icon, h("span", {}, state.node)),
    h("span", { class: "where" }, picker, h("span", { class: "chip " + kind }, text)),
    state.broker ? h("span", { class: "chip broker " + (state.broker.connected ? "good" : "bad") },
      `${t("broker")}: ${t(state.broker.connected ? "connected" : "notConnected")}`) : "");
}

function route() {
  name = views[location.hash.slice(1)] ? location.hash.slice(1) : "live";
  if (!page.state) return;
  shown?.hide?.();
  shown = views[name];
  $("tabs").replaceChildren(...Object.keys(views).map(v =>
    h("a", { href: "#" + v, "aria-current": v === name ? "page" : null }, h("i", { class: "i-" + v, "aria-hidden": "true" }), t(v))));
  document.title = `${t(name)} · ${page.state.node} · ast-edge`;
  head();
  $("view").replaceChildren(h("h1", { class: "unseen" }, t(name)), ...shown.show());
}

function login(wrong) {
  disconnect();
  shown?.hide?.();
  shown = null;
  banner("");
  $("tabs").replaceChildren(); $("top").replaceChildren(); head.sign = "";
  const field = h("input", { type: "password", id: "token", autocomplete: "current-password", required: true });
  $("view").replaceChildren(h("form", { class: "card login", onsubmit: event => {
    event.preventDefault(); enter(field.value.trim()); } },
  h("img", { src: "icon.svg", alt: "", width: 56, height: 56 }), h("h1", {}, "ast-edge"),
  h("label", { for: "token" }, t("token")), field,
  wrong ? h("p", { class: "error", role: "alert" }, wrong) : "",
  h("button", {}, t("login")), h("p", { class: "hint" }, t("loginHint"))));
  field.focus();
}

async function enter(token) {
  try { await call("api/login", { method: "POST", body: { token } }); begin(); }
  catch (fault) { login(t(fault.status === 429 ? "tooMany" : fault.status === 401 ? "wrongToken" : fault.message)); }
}

export async function leave() { await call("api/logout", { method: "POST" }); page.state = null; login(); }

async function begin() {
  banner(t("connecting"));
  try { await call("api/state"); } catch (fault) {
    if (fault.status === 401) return login();
    lostAt = lostAt || Date.now();
    wake = setTimeout(begin, 2000);
    return banner(fault.status ? fault.message : t("lost", { time: clock(lostAt) }), true);
  }
  connect();
}

addEventListener("hashchange", route);
addEventListener("keydown", event => {
  if (event.target.closest("input, select, textarea, dialog") || event.ctrlKey || event.metaKey || event.altKey) return;
  shown?.key?.(event);
});
document.addEventListener("visibilitychange", () => {
  clearTimeout(hideTimer);
  if (document.hidden) hideTimer = setTimeout(disconnect, HIDDEN_MS); // nobody looks: the daemon rests
  else if (page.state && !socket) connect();
});
setInterval(() => {
  const still = Date.now() - heardAt;
  if (!socket || still < STILL_MS) return;
  if (!lostAt) banner(t("still", { span: span(still / 1000) }), true);
  if (still > DEAD_MS) { disconnect(); lostAt = lostAt || heardAt; again(); }
}, 1000);

const link = new URLSearchParams(location.hash.slice(1)).get("token");
if (link) { history.replaceState(null, "", location.pathname + location.search); enter(link); } else begin();
