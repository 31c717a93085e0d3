// Elements, made without HTML: no text of a file's name is ever read as markup.

/**
 * Make an element.
 * @param {string} name
 * @param {object} properties  `on` has listeners, `vars` CSS variables; others are attributes.
 */
export function h(name, properties = {}, ...children) {
  const element = document.createElement(name);
  for (const [key, value] of Object.entries(properties ?? {})) {
    if (value === null || value === undefined || value === false) continue;
    if (key === "on") {
      for (const [event, listener] of Object.entries(value)) element.addEventListener(event, listener);
    } else if (key === "vars") {
      for (const [one, its] of Object.entries(value)) element.style.setProperty(one, its);
    } else if (key === "value") element.value = value;
    else element.setAttribute(key, value === true ? "" : value);
  }
  element.append(...children.flat().filter((child) => child !== null && child !== undefined && child !== false));
  return element;
}

/** Make an icon out of the symbols of the page. */
export function icon(name) {
  const svg = document.createElementNS("http://www.w3.org/2000/svg", "svg");
  svg.setAttribute("aria-hidden", "true");
  const use = document.createElementNS("http://www.w3.org/2000/svg", "use");
  use.setAttribute("href", `#i-${name}`);
  svg.append(use);
  return svg;
}

/** A picture that says so where it cannot be shown. */
export function photo(image, size = "thumbnail", properties = {}) {
  const element = h("img", {
    src: `/images/${image.id}/${size}`,
    alt: image.name ?? "",
    loading: "lazy",
    decoding: "async",
    draggable: "false",
    ...properties,
  });
  element.addEventListener("error", () => {
    element.replaceWith(h("span", { class: "broken", role: "img", "aria-label": `${image.name ?? "image"}: cannot be shown now` }, icon("skipped"), "cannot be shown"));
  });
  return element;
}

const UNITS = ["B", "kB", "MB", "GB", "TB"];

export function bytes(count) {
  let power = 0;
  while (count >= 999.5 && power < UNITS.length - 1) {
    count /= 1000;
    power += 1;
  }
  return `${power && count < 10 ? count.toFixed(1) : Math.round(count)} ${UNITS[power]}`;
}

export const number = (count) => count.toLocaleString("en");

export function plural(count, one, many = `${one}s`) {
  return `${number(count)} ${count === 1 ? one : many}`;
}

export function date(text) {
  if (!text) return "";
  const day = new Date(`${text.slice(0, 10)}T12:00:00`);
  return Number.isNaN(day.valueOf()) ? "" : day.toLocaleDateString("en", { year: "numeric", month: "short", day: "numeric" });
}

let timer = 0;

/** Say something in passing, with an action if there is one. */
export function toast(text, action = null) {
  const place = document.getElementById("toast");
  place.replaceChildren(h("div", { class: "toast" }, h("span", {}, text),
    action && h("button", { type: "button", on: { click: () => { place.replaceChildren(); action.run(); } } }, action.name)));
  clearTimeout(timer);
  timer = setTimeout(() => place.replaceChildren(), 7000);
}

export function empty(title, text, symbol = "search", heading = "h2") {
  return h("div", { class: "empty" }, icon(symbol), h(heading, {}, title), text && h("p", {}, text));
}

/** Whether a key belongs to a field that is typed into, to a dialog, or to the browser. */
export function typing(event) {
  return event.ctrlKey || event.metaKey || event.altKey
    || Boolean(event.target.closest?.("input:not([type=range]), textarea, select, dialog"));
}

/** Show how many there are beside the name of a view. */
export function count(view, many) {
  const badge = document.querySelector(`nav a[data-view="${view}"] .count`);
  badge.hidden = !many;
  badge.textContent = many > 999 ? "999+" : number(many);
}
