// Two pictures beside each other, under a slider, or as their difference.

import { bytes, h, icon, number, photo } from "./dom.js";

export const MODES = ["side", "slider", "difference"];
const NAMES = { side: "Side by side", slider: "Slider", difference: "Difference" };

/**
 * Show two pictures.
 * @param {object} left, right  files of a group
 * @param {string} mode
 */
export function stage(left, right, mode) {
  if (mode === "side") return h("div", { class: "stage pair" }, figure(left, right), figure(right, left));
  const area = h("div", { class: `stage over ${mode}`, vars: { "--ratio": (left.width / left.height).toFixed(4), "--at": "50%" } },
    picture(left, "under"), picture(right, "top"));
  if (mode === "slider") {
    area.append(h("span", { class: "divider", "aria-hidden": "true" }), h("input", {
      type: "range", min: 0, max: 100, step: 0.5, value: 50, "aria-label": "How much of the left picture is shown",
      on: { input: (event) => area.style.setProperty("--at", `${event.target.value}%`) },
    }));
  }
  return h("div", { class: "stacked" }, area, h("div", { class: "captions" }, caption(left, right), caption(right, left)));
}

function picture(file, place) {
  return photo(file, "picture", { class: place, loading: "eager", alt: `${file.keeps ? "Stays" : "Looks like it"}: ${file.name}` });
}

function figure(file, other) {
  return h("figure", { class: file.keeps ? "keeps" : "" }, h("div", { class: "pane" }, picture(file, "")), caption(file, other));
}

function caption(file, other) {
  const more = (mine, its) => (mine > its ? "more" : "");
  return h("figcaption", { class: file.keeps ? "keeps" : "" },
    h("span", { class: "tag" }, file.keeps ? "stays" : file.said),
    h("b", {}, file.name), h("span", { class: "where" }, file.folder),
    h("span", { class: "facts" },
      h("span", { class: more(file.width * file.height, other.width * other.height) }, `${number(file.width)} × ${number(file.height)}`), " · ",
      h("span", { class: more(file.bytes, other.bytes) }, bytes(file.bytes)), " · ", h("span", {}, file.format)));
}

/** The buttons that choose how two pictures are compared. */
export function modes(mode, choose, swap) {
  return h("div", { class: "modes" },
    h("div", { class: "choice", role: "group", "aria-label": "Compare" }, MODES.map((one) => h("button", { type: "button", "aria-pressed": String(one === mode), on: { click: () => choose(one) } }, NAMES[one]))),
    h("button", { class: "button", type: "button", title: "Show them the other way round; which one stays does not change", on: { click: swap } }, icon("swap"), h("span", {}, "Swap sides"), h("kbd", {}, "x")));
}
