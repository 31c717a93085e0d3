// Searching: by a picture of someone's own, by one of the collection, or by words.

import { get, upload } from "./api.js";
import { empty, h, icon, number, photo, plural } from "./dom.js";
import { filterOf, filters } from "./filters.js";
import { grid } from "./grid.js";
import { picked, recall, take } from "./picking.js";
import { view } from "./viewer.js";

export const title = "Search";

const STEPS = [10, 20, 30, 60, 100, 200, 300, 1000, 3000, 10000, 30000];
const PAGE = 90;
const ABOUT = {
  perceptual: "How pictures look: copies, also resized, saved again or retouched.",
  borderless: "How pictures look within their borders.",
  photo: "What pictures show.",
  "photo-fast": "What pictures show, from fewer pixels.",
  "photo-best": "What pictures show, by a larger network.",
  hog: "Shapes and where they are.",
};

/** Show the view; return what ends it. */
export async function render(place, values, collection) {
  const given = Object.fromEntries(values);
  const where = filterOf(given);
  const abort = new AbortController();
  if (given.upload) await recall();
  const out = h("section", { class: "results", "aria-live": "polite", "aria-busy": "true" }, skeleton());
  place.replaceChildren(h("div", { class: "search" }, side(given, values, collection), out));
  if (!collection.images) {
    out.replaceChildren(empty("Nothing here yet", "hashret index FOLDER puts photographs into this collection.", "folder", "h1"));
    return null;
  }
  try {
    out.replaceChildren(...(await answer(given, where, collection, abort.signal)));
  } catch (error) {
    if (error.name !== "AbortError") out.replaceChildren(empty("No answer to that", error.message, "skipped", "h1"));
  }
  out.setAttribute("aria-busy", "false");
  return () => abort.abort();
}

/** What is worth a mark on the picture: that it is the same, or a copy. */
const mark = (image) => (image.same || image.why.includes(":") ? image.why.split(":")[0] : "");

function skeleton() {
  return h("div", { class: "skeleton" }, Array.from({ length: 12 }, () => h("span")));
}

/** Go to the same search with something changed. */
function change(given, changes) {
  const next = new URLSearchParams(Object.entries({ ...given, ...changes }).filter(([, value]) => value !== "" && value !== null && value !== undefined));
  location.hash = `#/search${next.size ? `?${next}` : ""}`;
}

const like = (given, id) => {
  const { upload: _, text: __, ...rest } = given;
  return `#/search?${new URLSearchParams({ ...rest, id })}`;
};

async function answer(given, where, collection, signal) {
  const wanted = { k: given.k, radius: given.radius, encoder: given.encoder, where };
  if (given.upload && !given.id && !given.text && !picked.file) {
    return [empty("That picture is not at hand any more", "Choose it again.", "upload", "h1")];
  }
  const asks = given.id || given.text || given.upload;
  if (!asks) return browse(given, where, signal);
  let found;
  if (given.id) found = await get(`/api/search/${Number(given.id)}`, wanted, { signal });
  else if (given.text) found = await get("/api/search/text", { text: given.text, ...wanted }, { signal });
  else found = await upload(picked.file, wanted, { signal });
  const results = found.results.filter((one) => String(one.id) !== given.id);
  const time = found.seconds < 0.001 ? "under 1 ms" : `${Math.round(found.seconds * 1000)} ms`;
  const head = h("div", { class: "head" }, h("h1", {}, results.length ? plural(results.length, "similar image") : "Nothing similar"),
    h("p", {}, `nearest first, by ${found.encoder}, in ${time}`));
  if (!results.length) return [head, empty("Nothing that near", "Widen the distance, ask for more results, or loosen the filter.")];
  return [head, grid(results, {
    href: (image) => like(given, image.id),
    note: (image) => [String(+image.distance.toFixed(2)), Math.max(0, 1 - image.distance / (found.farthest / 2)), image.why, mark(image)],
  })];
}

async function browse(given, where, signal) {
  let { images, after } = await get("/api/images", { where, limit: PAGE }, { signal });
  const more = async () => {
    if (after === null) return null;
    const next = await get("/api/images", { where, limit: PAGE, after }, { signal });
    after = next.after;
    return next.images;
  };
  const head = h("div", { class: "head" }, h("h1", {}, where ? "Images that fit" : "Added last"),
    h("p", {}, "Choose one to see what is like it."));
  if (!images.length) return [head, empty("No image fits", "Loosen the filter.")];
  return [head, grid(images, { href: (image) => like(given, image.id), more })];
}

function side(given, values, collection) {
  return h("aside", { class: "side", "aria-label": "Search for" },
    asked(given, collection),
    words(given, collection),
    h("details", { class: "options", open: !matchMedia("(max-width: 760px)").matches },
      h("summary", {}, "Options and filters"),
      h("div", { class: "panel sliders" }, encoders(given, collection), results(given), radius(given, collection)),
      filters(values, collection, (fields) => change(given, fields))));
}

function pick() {
  return h("label", { class: "button" }, icon("upload"), "Choose a picture",
    h("input", { type: "file", accept: "image/*,.heic,.heif,.dng,.cr2,.nef,.arw", class: "hidden", on: { change: (event) => take(event.target.files[0]) } }));
}

function asked(given) {
  const own = given.upload && picked.url;
  if (!given.id && !own) {
    return h("div", { class: "panel ask" }, h("div", { class: "dropzone" }, icon("upload"),
      h("p", {}, h("b", {}, "Drop a picture here,"), " paste one, or"), pick()));
  }
  const clear = h("button", { class: "quiet round close", type: "button", "aria-label": "Search for something else", on: { click: () => change(given, { id: "", upload: "" }) } }, icon("close"));
  const name = h("span", { class: "name" }, own && !given.id ? picked.file.name || "pasted picture" : `Image ${given.id}`);
  const shown = given.id ? photo({ id: Number(given.id), name: "" }, "thumbnail", { alt: "The image that is searched for" })
    : h("img", { src: picked.url, alt: "The picture that is searched for", on: { error: (event) => event.target.replaceWith(h("span", { class: "broken" }, "no preview in this browser")) } });
  if (given.id) get(`/api/images/${Number(given.id)}`).then((image) => { name.textContent = image.name; }, () => {});
  return h("div", { class: "panel ask" }, h("div", { class: "query" }, shown, clear),
    h("p", { class: "caption" }, name, given.id && h("button", { class: "quiet more", type: "button", "aria-label": "About the image that is searched for", on: { click: () => view(Number(given.id)) } }, icon("info"))),
    pick());
}

function words(given, collection) {
  if (!collection.encoders?.some((one) => one.texts)) return null;
  const encoder = collection.encoders.find((one) => one.texts).name;
  const field = h("input", { type: "search", name: "text", value: given.text ?? "", placeholder: "a dog on a beach", "aria-label": "Search by words" });
  return h("form", { class: "panel words", on: { submit: (event) => {
    event.preventDefault();
    change(given, { text: field.value.trim(), id: "", upload: "", encoder });
  } } }, field, h("button", { class: "button", "aria-label": "Search" }, icon("search")));
}

function encoders(given, collection) {
  const all = collection.encoders ?? [];
  const chosen = given.encoder ?? collection.default;
  if (all.length < 2) return null;
  const option = (one) => h("label", {},
    h("input", { type: "radio", name: "encoder", value: one.name, checked: one.name === chosen, on: { change: () => change(given, { encoder: one.name, radius: "" }) } }),
    h("span", {}, one.name));
  return h("fieldset", {}, h("legend", {}, "Compare by"), h("div", { class: "choice" }, all.map(option)),
    ABOUT[chosen] && h("p", { class: "fine" }, ABOUT[chosen]));
}

function slider(label, properties, shown, done) {
  const id = label.split(",")[0].toLowerCase();
  const output = h("output", { for: id }, shown(Number(properties.value)));
  // No label around both: an output can have a label, too, and would take it.
  return h("div", { class: "slider" }, h("label", { for: id }, label), output, h("input", { id, type: "range", ...properties, on: {
    input: (event) => { output.textContent = shown(Number(event.target.value)); },
    change: (event) => done(Number(event.target.value)),
  } }));
}

function results(given) {
  const now = Math.max(0, STEPS.findIndex((one) => one >= Number(given.k ?? 60)));
  return slider("Results, at most", { min: 0, max: STEPS.length - 1, value: now }, (step) => number(STEPS[step]), (step) => change(given, { k: STEPS[step] }));
}

function radius(given, collection) {
  const chosen = given.encoder ?? collection.default;
  const bits = collection.encoders?.find((one) => one.name === chosen)?.bits ?? 256;
  const most = Math.round(bits / 2);
  const now = given.radius === undefined ? most : Math.min(most - 1, Number(given.radius));
  const field = slider("Distance, at most", { min: 0, max: most, value: now },
    (value) => (value >= most ? "any" : `${value} of ${bits} bits`), (value) => change(given, { radius: value >= most ? "" : value }));
  field.append(h("p", { class: "fine" }, "The bold number under a result: how much of its code differs."));
  return field;
}
