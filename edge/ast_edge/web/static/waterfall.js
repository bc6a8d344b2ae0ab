// A minute of mel columns, kept as bytes in a ring and drawn on a canvas with events over it.
import { clock, colour, t } from "./dom.js";

export const SPAN = 60;
const RING = 2048, LAG = 1.2, TICKS = [100, 250, 500, 1000, 2000, 4000, 8000];
const DARK = ["#0b1117", "#10304a", "#146c7c", "#48a97c", "#e8d45f", "#fffbe6"];
const LIGHT = ["#fbfcfd", "#cfe3ee", "#7fb4d6", "#3f74b8", "#2c3a86", "#170f3d"];
const scheme = matchMedia("(prefers-color-scheme: dark)");
const calm = matchMedia("(prefers-reduced-motion: reduce)");

function ramp(stops) {
  const rgb = stops.map(s => [1, 3, 5].map(i => parseInt(s.slice(i, i + 2), 16)));
  return Array.from({ length: 256 }, (_, i) => {
    const x = i / 255 * (rgb.length - 1), n = Math.min(rgb.length - 2, Math.floor(x)), f = x - n;
    return rgb[n].map((c, k) => Math.round(c + f * (rgb[n + 1][k] - c)));
  });
}

export class Waterfall {
  constructor(canvas, page, tip) {
    this.canvas = canvas; this.page = page; this.tip = tip;
    this.store = document.createElement("canvas");
    this.reset();
    this.frozen = null; this.pointer = null; this.held = false;
    scheme.addEventListener("change", () => this.paintAll());
    canvas.addEventListener("pointermove", e => { this.pointer = [e.offsetX, e.offsetY];
      if (e.pointerType === "mouse" && !this.held) this.freeze(true); this.draw(); });
    canvas.addEventListener("pointerleave", () => { this.pointer = null; if (!this.held) this.freeze(false); this.draw(); });
    new ResizeObserver(() => this.draw()).observe(canvas);
  }

  reset() {
    this.bands = 0; this.last = -1; this.first = -1; this.seconds = 0.04; this.low = 60; this.high = 160; this.arrived = 0;
  }

  // Columns (n, bands) of which the first begins at a time.
  add(time, seconds, bands, count, bytes) {
    const first = Math.round(time / seconds);
    if (bands !== this.bands || first < this.last - RING / 2 || first > this.last + 100 * RING) {
      this.bands = bands; this.seconds = seconds; this.last = first - 1; this.first = first;
      this.bytes = new Uint8Array(RING * bands); this.filled = new Uint8Array(RING);
      this.store.width = RING; this.store.height = bands;
    }
    for (let c = Math.max(this.last + 1, first - RING); c < first; c++) this.clear(c);
    const sorted = bytes.slice().sort();
    const low = sorted[Math.floor(sorted.length * 0.2)], high = sorted[Math.floor(sorted.length * 0.995)];
    const pace = this.arrived++ ? 0.08 : 1;
    this.low += pace * (low - this.low);
    this.high += (high > this.high ? 0.5 : 0.03) * (Math.max(high, this.low + 45) - this.high);
    for (let n = 0; n < count; n++) {
      const at = (first + n) % RING;
      this.bytes.set(bytes.subarray(n * bands, (n + 1) * bands), at * bands);
      this.filled[at] = 1;
    }
    this.last = Math.max(this.last, first + count - 1);
    this.paint(first, count);
  }

  clear(column) {
    const at = column % RING;
    this.filled[at] = 0;
    this.store.getContext("2d").clearRect(at, 0, 1, this.bands);
  }

  paint(first, count) {
    const colours = scheme.matches ? (this.dark ??= ramp(DARK)) : (this.light ??= ramp(LIGHT));
    const context = this.store.getContext("2d"), scale = 255 / Math.max(45, this.high - this.low);
    for (let n = 0; n < count; n++) {
      const at = (first + n) % RING, image = context.createImageData(1, this.bands);
      for (let b = 0; b < this.bands; b++) {
        const v = Math.max(0, Math.min(255, Math.round((this.bytes[at * this.bands + b] - this.low) * scale)));
        const [r, g, bl] = colours[v], i = (this.bands - 1 - b) * 4;
        image.data[i] = r; image.data[i + 1] = g; image.data[i + 2] = bl; image.data[i + 3] = 255;
      }
      context.putImageData(image, at, 0);
    }
  }

  paintAll() {
    if (!this.bands) return;
    for (let at = 0; at < RING; at++) if (this.filled[at]) this.paint(at, 1);
    this.draw();
  }

  freeze(on) { this.frozen = on ? this.frozen ?? this.end() : null; }

  // The time at the right edge: a little behind now, so that what arrives has its place already.
  end() {
    if (this.frozen !== null) return this.frozen;
    const newest = (this.last + 1) * this.seconds, now = this.page.now();
    return this.bands && Math.abs(now - newest) > 90 && newest < now - 1e6 ? newest : now - LAG;
  }

  run() {
    cancelAnimationFrame(this.frame);
    let before = 0;
    const turn = at => {
      this.frame = requestAnimationFrame(turn);
      if (at - before >= (calm.matches ? 1000 : 50)) { before = at; this.draw(); }
    };
    this.frame = requestAnimationFrame(turn);
  }

  stop() { cancelAnimationFrame(this.frame); }

  draw() {
    const { canvas } = this, ratio = Math.min(2, devicePixelRatio || 1);
    const width = canvas.clientWidth, height = canvas.clientHeight;
    if (!width) return;
    if (canvas.width !== Math.round(width * ratio) || canvas.height !== Math.round(height * ratio)) {
      canvas.width = Math.round(width * ratio); canvas.height = Math.round(height * ratio);
    }
    const g = canvas.getContext("2d"), dark = scheme.matches;
    g.setTransform(ratio, 0, 0, ratio, 0, 0);
    g.clearRect(0, 0, width, height);
    const left = 36, bottom = 18, w = width - left, hgt = height - bottom, end = this.end(), start = end - SPAN;
    const x = time => left + (time - start) / SPAN * w;
    g.save();
    g.beginPath(); g.rect(left, 0, w, hgt); g.clip();
    g.fillStyle = dark ? "#0b1117" : "#eef2f5";
    g.fillRect(left, 0, w, hgt);
    if (this.bands) this.image(g, x, start, end, hgt);
    this.events(g, x, start, end, hgt);
    g.restore();
    this.axes(g, x, start, end, left, width, hgt, dark);
    this.cross(g, start, left, w, hgt);
  }

  image(g, x, start, end, hgt) {
    const from = Math.max(Math.floor(start / this.seconds), this.last - RING + 2, this.first), to = Math.min(Math.ceil(end / this.seconds), this.last + 1);
    for (let c = from; c < to;) {
      const at = ((c % RING) + RING) % RING, n = Math.min(to - c, RING - at);
      const x0 = x(c * this.seconds), x1 = x((c + n) * this.seconds);
      g.drawImage(this.store, at, 0, n, this.bands, x0, 0, x1 - x0, hgt);
      c += n;
    }
  }

  events(g, x, start, end, hgt) {
    const lanes = [], tags = [], most = Math.max(1, Math.floor(hgt / 20) - 1);
    g.font = "600 11px system-ui, sans-serif"; g.textBaseline = "middle";
    const own = [...this.page.events.values()].filter(e => e.source === this.page.source);
    for (const event of own) {
      const onset = Date.parse(event.onset) / 1000;
      const running = event.type !== "end", offset = running ? Math.max(onset + event.duration, Math.min(this.page.now(), end)) : onset + event.duration;
      if (offset < start || onset > end) continue;
      const x0 = x(onset), x1 = Math.max(x0 + 2, x(offset)), text = `${event.label.slice(0, 40)} ${Math.round(event.peak * 100)} %`;
      const wide = g.measureText(text).width + 10, tag = Math.max(36, Math.min(x0, x(end) - wide));
      let lane = lanes.findIndex(until => until < tag);
      if (lane < 0) lane = lanes.length;
      lanes[lane] = Math.max(tag + wide, x1) + 4;
      const y = 4 + (lane % most) * 20, paint = colour(event.label);
      g.strokeStyle = "#fff"; g.lineWidth = 4; this.bracket(g, x0, x1, y, hgt);
      g.strokeStyle = paint; g.lineWidth = 2; this.bracket(g, x0, x1, y, hgt);
      tags.push([paint, tag, y, wide, text]);
    }
    for (const [paint, tag, y, wide, text] of tags) { // above all brackets
      g.fillStyle = paint; g.strokeStyle = "#fff"; g.lineWidth = 1;
      g.beginPath(); g.roundRect(tag, y, wide, 17, 4); g.fill(); g.stroke();
      g.fillStyle = "#fff"; g.fillText(text, tag + 5, y + 9);
    }
  }

  bracket(g, x0, x1, y, hgt) {
    g.beginPath(); g.moveTo(x0 + 5, hgt - 2); g.lineTo(x0, hgt - 2); g.lineTo(x0, y + 2); g.lineTo(x1, y + 2);
    g.lineTo(x1, hgt - 2); g.lineTo(x1 - 5, hgt - 2); g.stroke();
  }

  hertzAt(share) {
    const hz = this.page.axis?.hertz;
    return hz ? hz[Math.max(0, Math.min(hz.length - 1, Math.floor(share * hz.length)))] : null;
  }

  axes(g, x, start, end, left, width, hgt, dark) {
    g.fillStyle = dark ? "#9fb0bd" : "#4d5d6a"; g.font = "11px system-ui, sans-serif"; g.textBaseline = "middle"; g.textAlign = "right";
    const hz = this.page.axis?.hertz;
    if (hz) for (const tick of TICKS) {
      const n = hz.findIndex(f => f >= tick);
      if (n < 0) continue;
      g.fillText(tick < 1000 ? tick : tick / 1000 + " k", left - 5, Math.max(7, hgt - (n + 0.5) / hz.length * hgt));
    }
    g.textAlign = "left"; g.fillText("Hz", 4, hgt + 10);
    g.textAlign = "center";
    const step = width < 560 ? 20 : 10;
    for (let s = Math.ceil(start / step) * step; s < end; s += step) {
      if (x(s) < left + 26 || x(s) > width - 26) continue;
      g.fillText(clock(s * 1000), x(s), hgt + 10);
    }
    g.textAlign = "left";
  }

  cross(g, start, left, w, hgt) {
    if (!this.pointer) { this.tip.textContent = this.frozen === null ? "" : t("frozen"); return; }
    const [px, py] = this.pointer;
    if (px < left || py > hgt) return;
    g.strokeStyle = "#fff8"; g.lineWidth = 1;
    g.beginPath(); g.moveTo(px, 0); g.lineTo(px, hgt); g.moveTo(left, py); g.lineTo(left + w, py); g.stroke();
    const hertz = this.hertzAt(1 - py / hgt);
    this.tip.textContent = `${clock((start + (px - left) / w * SPAN) * 1000)}${hertz ? ` · ${hertz} Hz` : ""} · ${t("frozen")}`;
  }
}
