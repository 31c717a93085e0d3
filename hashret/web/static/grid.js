// Pictures in rows of one height, drawn as far as someone has scrolled.

import { bytes, date, h, icon, photo } from "./dom.js";
import { view } from "./viewer.js";

const AT_ONCE = 90;

/**
 * Show images in a grid.
 * @param {Array} images
 * @param {object} options  `href(image)`; `note(image)` gives [text, nearness 0..1, whole sentence, mark];
 *   `more()` brings later images or null.
 */
export function grid(images, options) {
  const list = h("ul", { class: "grid" });
  const end = h("div", { class: "end" });
  const all = [...images];
  let shown = 0;
  let more = options.more ?? null;
  let busy = false;

  async function extend() {
    if (busy) return;
    busy = true;
    if (shown >= all.length && more) {
      const next = await more().catch(() => null);
      if (next === null || next.length === 0) more = null;
      else all.push(...next);
    }
    const until = Math.min(all.length, shown + AT_ONCE);
    list.append(...all.slice(shown, until).map((image) => tile(image, options)));
    shown = until;
    busy = false;
    if (shown >= all.length && !more) watch.disconnect();
    else {
      // It tells changes only: what is still in sight has to be looked at anew.
      watch.unobserve(end);
      watch.observe(end);
    }
  }

  const watch = new IntersectionObserver((entries) => entries.some((one) => one.isIntersecting) && extend(), { rootMargin: "1200px" });
  watch.observe(end);
  extend();
  return h("div", {}, list, end);
}

function tile(image, options) {
  const ratio = Math.min(2.1, Math.max(0.62, image.width / image.height || 1));
  const [note, nearness, sentence, mark] = options.note?.(image) ?? [date(image.taken) || bytes(image.bytes), null, "", ""];
  return h("li", { class: image.missing ? "tile missing" : "tile", vars: { "--ratio": ratio.toFixed(3) } },
    h("a", { class: "frame", href: options.href(image), title: [`${image.folder}/${image.name}`, sentence].filter(Boolean).join("\n"), "aria-label": `Find images like ${image.name}${sentence ? `; ${sentence}` : ""}` },
      photo(image, "thumbnail", { alt: "" }),
      mark && h("span", { class: "mark" }, mark),
      nearness !== null && h("span", { class: "near", vars: { "--near": nearness.toFixed(3) } })),
    h("p", { class: "caption" }, h("span", { class: "note" }, note), h("span", { class: "name" }, image.name),
      h("button", { class: "quiet more", type: "button", "aria-label": `About ${image.name}`, on: { click: () => view(image.id) } }, icon("info"))));
}
