// Elements and texts. Whatever comes from outside becomes text, never markup.
import en from "./en.js";
import de from "./de.js";

const languages = { en, de };
let chosen = null;
try { chosen = localStorage.getItem("language"); } catch { /* no storage, no choice kept */ }
export const language = languages[chosen] ? chosen
  : (navigator.languages || []).map(l => l.slice(0, 2)).find(l => languages[l]) || "en";
document.documentElement.lang = language;
// Of dates: "en" alone is American.
const region = (navigator.languages || []).find(l => l.slice(0, 2) === language) || language;

export function speak(name) {
  try { localStorage.setItem("language", name); } catch { return; }
  location.reload();
}

export function t(key, values = {}) {
  const text = languages[language][key] ?? en[key] ?? key;
  return text.replace(/\{(\w+)\}/g, (_, name) => values[name] ?? "");
}

export function h(tag, attributes = {}, ...children) {
  const element = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes)) {
    if (value === null || value === undefined || value === false) continue;
    if (name.startsWith("on")) element.addEventListener(name.slice(2), value);
    else if (name === "value" || name === "checked") element[name] = value;
    else element.setAttribute(name, value === true ? "" : value);
  }
  element.append(...children.flat().filter(c => c !== null && c !== undefined && c !== false));
  return element;
}

export const $ = id => document.getElementById(id);
export const clock = (ms, seconds = true) => new Date(ms).toLocaleTimeString(region,
  { hourCycle: "h23", hour: "2-digit", minute: "2-digit", second: seconds ? "2-digit" : undefined });
export const day = ms => new Date(ms).toLocaleDateString(region,
  { weekday: "short", day: "numeric", month: "short" });
export const percent = value => Math.round(100 * value) + " %";

export function span(seconds) {
  const s = Math.max(0, Math.floor(seconds));
  if (s < 60) return (seconds < 10 ? Math.max(0, seconds).toFixed(1) : s) + " s";
  if (s < 3600) return `${Math.floor(s / 60)} min ${s % 60} s`;
  if (s < 86400) return `${Math.floor(s / 3600)} h ${Math.floor(s % 3600 / 60)} min`;
  return `${Math.floor(s / 86400)} d ${Math.floor(s % 86400 / 3600)} h`;
}

export function hue(name) {
  let sum = 7;
  for (const c of name) sum = (sum * 31 + c.codePointAt(0)) % 3600;
  return sum / 10;
}

// Yellow and green are bright by themselves: white letters stand on these colours.
export function colour(name) {
  const degrees = hue(name);
  return `hsl(${degrees} 75% ${degrees > 35 && degrees < 200 ? 30 : 42}%)`;
}

export function toast(text, action, label) {
  const place = $("toast");
  place.replaceChildren(text, action ? h("button", { class: "quiet", onclick: () => {
    place.replaceChildren(); action(); } }, label) : "");
  clearTimeout(toast.timer);
  toast.timer = setTimeout(() => place.replaceChildren(), 8000);
}

// A machine that is frozen or gone answers nothing, not even no.
const PATIENCE_MS = 15000;

export async function call(path, options = {}) {
  const answer = await fetch(path, { credentials: "same-origin", signal: AbortSignal.timeout(PATIENCE_MS), ...options,
    headers: { "X-Ast-Edge": "1", "Content-Type": "application/json" },
    body: options.body && JSON.stringify(options.body) });
  if (!answer.ok) {
    const fault = new Error((await answer.text()).slice(0, 300));
    fault.status = answer.status;
    throw fault;
  }
  return answer.json();
}
