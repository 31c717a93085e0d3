// The map: every image a place, what is alike together; moved and zoomed by mouse, touch or keys.

import { points } from "./api.js";
import { empty, h, icon, plural, typing } from "./dom.js";
import { view } from "./viewer.js";

export const title = "Map";

const CELL = 76; // pixels of the screen that one picture stands for
const PICTURES = 1500; // kept in memory
const MOST = 400;

/** Show the view; return what ends it. */
export async function render(place) {
  const waiting = empty("Drawing the map", "The first time takes a minute; then it is kept.", "map", "h1");
  let live = true;
  const run = async () => {
    place.replaceChildren(waiting);
    for (;;) {
      const data = await points();
      if (!live) return;
      if (data) {
        chart = data.byteLength ? new Chart(place, read(data)) : null;
        if (!chart) place.replaceChildren(empty("Nothing here yet", "The map has a place for every image with a code.", "map", "h1"));
        return;
      }
      await new Promise((resolve) => setTimeout(resolve, 1500));
      if (!live) return;
    }
  };
  let chart = null;
  run().catch((error) => place.replaceChildren(empty("There is no map", error.message, "skipped", "h1")));
  return () => {
    live = false;
    chart?.end();
  };
}

/** Read little-endian `uint32 id, uint16 x, uint16 y`. */
export function read(data) {
  const bytes = new DataView(data);
  const size = data.byteLength / 8;
  const found = { size, ids: new Uint32Array(size), x: new Float32Array(size), y: new Float32Array(size) };
  for (let at = 0; at < size; at += 1) {
    found.ids[at] = bytes.getUint32(8 * at, true);
    found.x[at] = bytes.getUint16(8 * at + 4, true) / 65535;
    found.y[at] = bytes.getUint16(8 * at + 6, true) / 65535;
  }
  return found;
}

class Chart {
  constructor(place, data) {
    this.data = data;
    this.pictures = new Map();
    this.pointers = new Map();
    this.canvas = h("canvas", { tabindex: "0", role: "application", "aria-label": `Map of ${plural(data.size, "image")}. Arrow keys move, plus and minus zoom, Enter opens the image in the middle.` });
    const button = (name, label, run) => h("button", { class: "round", type: "button", "aria-label": label, on: { click: run } }, icon(name));
    place.replaceChildren(h("div", { class: "map" }, h("h1", { class: "hidden" }, "Map"), this.canvas,
      h("div", { class: "controls" }, button("plus", "Zoom in", () => this.zoom(1.6)), button("minus", "Zoom out", () => this.zoom(1 / 1.6)), button("fit", "Show all", () => this.fit())),
      h("p", { class: "hint" }, `${plural(data.size, "image")}: what looks alike lies together. Choose one to open it.`)));
    this.paper = this.canvas.getContext("2d");
    this.observer = new ResizeObserver(() => this.resize());
    this.observer.observe(this.canvas);
    this.listen();
  }

  end() {
    this.observer.disconnect();
    removeEventListener("theme", this.redraw);
  }

  listen() {
    this.redraw = () => this.draw();
    addEventListener("theme", this.redraw);
    const on = (name, run, options) => this.canvas.addEventListener(name, run, options);
    on("wheel", (event) => {
      event.preventDefault();
      this.zoom(Math.exp(-event.deltaY * (event.ctrlKey ? 0.01 : 0.0018)), event.offsetX, event.offsetY);
    }, { passive: false });
    on("pointerdown", (event) => {
      this.canvas.setPointerCapture(event.pointerId);
      this.pointers.set(event.pointerId, [event.offsetX, event.offsetY]);
      this.moved = this.pointers.size > 1 ? Infinity : 0;
    });
    on("pointermove", (event) => this.drag(event));
    on("pointerup", (event) => {
      const known = this.pointers.delete(event.pointerId);
      if (known && this.moved < 6) this.open(event.offsetX, event.offsetY);
    });
    on("pointercancel", (event) => this.pointers.delete(event.pointerId));
    on("keydown", (event) => this.key(event));
    on("focus", this.redraw);
    on("blur", this.redraw);
  }

  drag(event) {
    const before = this.pointers.get(event.pointerId);
    if (!before) return;
    const now = [event.offsetX, event.offsetY];
    if (this.pointers.size === 1) {
      this.moved += Math.hypot(now[0] - before[0], now[1] - before[1]);
      this.move(now[0] - before[0], now[1] - before[1]);
    } else {
      const [[, still]] = [...this.pointers].filter(([id]) => id !== event.pointerId);
      const spread = (one) => Math.hypot(one[0] - still[0], one[1] - still[1]) || 1;
      this.zoom(spread(now) / spread(before), still[0], still[1]);
    }
    this.pointers.set(event.pointerId, now);
  }

  key(event) {
    if (typing(event)) return;
    const step = 80;
    const run = {
      ArrowLeft: () => this.move(step, 0),
      ArrowRight: () => this.move(-step, 0),
      ArrowUp: () => this.move(0, step),
      ArrowDown: () => this.move(0, -step),
      "+": () => this.zoom(1.4),
      "=": () => this.zoom(1.4),
      "-": () => this.zoom(1 / 1.4),
      0: () => this.fit(),
      Enter: () => this.open(this.width / 2, this.height / 2),
    }[event.key];
    if (!run) return;
    event.preventDefault();
    run();
  }

  resize() {
    const { clientWidth, clientHeight } = this.canvas;
    const first = !this.width;
    const scale = devicePixelRatio || 1;
    Object.assign(this, { width: clientWidth, height: clientHeight });
    Object.assign(this.canvas, { width: Math.round(clientWidth * scale), height: Math.round(clientHeight * scale) });
    this.paper.setTransform(scale, 0, 0, scale, 0, 0);
    if (first) this.fit();
    else this.draw();
  }

  fit() {
    this.least = Math.min(this.width, this.height) * 0.92;
    this.size = this.least;
    this.left = (this.width - this.size) / 2;
    this.top = (this.height - this.size) / 2;
    this.draw();
  }

  move(x, y) {
    this.left += x;
    this.top += y;
    this.draw();
  }

  zoom(factor, x = this.width / 2, y = this.height / 2) {
    const size = Math.max(this.least / 2, Math.min(this.least * 400, this.size * factor));
    this.left = x - ((x - this.left) * size) / this.size;
    this.top = y - ((y - this.top) * size) / this.size;
    this.size = size;
    this.draw();
  }

  draw() {
    if (this.frame) return;
    this.frame = requestAnimationFrame(() => {
      this.frame = 0;
      this.paint();
    });
  }

  paint() {
    const { paper, data, size, left, top, width, height } = this;
    const style = getComputedStyle(this.canvas);
    paper.clearRect(0, 0, width, height);
    paper.fillStyle = style.color;
    paper.globalAlpha = data.size > 20000 ? 0.35 : 0.6;
    // One picture for each cell, which stays the same while the map is moved: cells are of the map.
    const cells = new Map();
    const columns = 2 ** Math.round(Math.log2(size / CELL));
    for (let at = 0; at < data.size; at += 1) {
      const x = left + data.x[at] * size;
      const y = top + data.y[at] * size;
      if (x < -CELL || y < -CELL || x > width + CELL || y > height + CELL) continue;
      const cell = Math.floor(data.x[at] * columns) * 1e6 + Math.floor(data.y[at] * columns);
      if (!cells.has(cell)) cells.set(cell, at);
      else paper.fillRect(x - 1.25, y - 1.25, 2.5, 2.5);
    }
    paper.globalAlpha = 1;
    const side = Math.min(CELL * 1.6, (size / columns) * 0.94);
    this.shown = [...cells.values()].slice(0, MOST).map((at) => ({ at, x: left + data.x[at] * size, y: top + data.y[at] * size }));
    const ready = [];
    for (const one of this.shown) {
      const image = this.load(data.ids[one.at]);
      if (image.complete && image.naturalWidth) ready.push([image, one]);
      else paper.fillRect(one.x - 2, one.y - 2, 4, 4);
    }
    for (const [image, one] of ready) this.picture(image, one, side);
    this.side = side;
    if (document.activeElement === this.canvas && this.canvas.matches(":focus-visible")) {
      paper.strokeStyle = style.outlineColor;
      paper.lineWidth = 2;
      paper.strokeRect(width / 2 - 10, height / 2 - 10, 20, 20);
    }
  }

  picture(image, { x, y }, side) {
    const { paper } = this;
    const { naturalWidth, naturalHeight } = image;
    const scale = side / Math.max(naturalWidth, naturalHeight);
    const [w, h_] = [naturalWidth * scale, naturalHeight * scale];
    paper.save();
    paper.beginPath();
    paper.roundRect(x - w / 2, y - h_ / 2, w, h_, 5);
    paper.clip();
    paper.drawImage(image, x - w / 2, y - h_ / 2, w, h_);
    paper.restore();
  }

  load(id) {
    let image = this.pictures.get(id);
    if (!image) {
      image = new Image();
      image.onload = this.redraw;
      image.src = `/images/${id}/thumbnail`;
      this.pictures.set(id, image);
      if (this.pictures.size > PICTURES) this.pictures.delete(this.pictures.keys().next().value);
    }
    return image;
  }

  /** Open the image that is nearest to a place of the screen. */
  open(x, y) {
    const { data, size, left, top } = this;
    const over = this.shown?.findLast((one) => Math.abs(one.x - x) < this.side / 2 && Math.abs(one.y - y) < this.side / 2);
    if (over) {
      view(data.ids[over.at]);
      return;
    }
    let best = null;
    let least = 40 ** 2;
    for (let at = 0; at < data.size; at += 1) {
      const distance = (left + data.x[at] * size - x) ** 2 + (top + data.y[at] * size - y) ** 2;
      if (distance < least) [best, least] = [at, distance];
    }
    if (best !== null) view(data.ids[best]);
  }
}
