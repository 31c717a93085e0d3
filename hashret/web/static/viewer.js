// One image, large, with all that is known of it.

import { get } from "./api.js";
import { bytes, date, h, icon, number, photo, plural } from "./dom.js";

const dialog = document.getElementById("viewer");

/** Open an image in the dialog. */
export async function view(id) {
  dialog.replaceChildren(h("p", { class: "busy" }, "…"));
  dialog.setAttribute("aria-label", "Image");
  if (!dialog.open) dialog.showModal();
  try {
    const image = await get(`/api/images/${id}`);
    dialog.replaceChildren(frame(image), about(image));
  } catch (error) {
    dialog.replaceChildren(close(), h("p", { class: "wrong" }, error.message));
  }
  dialog.querySelector("button")?.focus();
}

function close() {
  return h("button", { class: "quiet round close", type: "button", "aria-label": "Close", on: { click: () => dialog.close() } }, icon("close"));
}

function frame(image) {
  return h("div", { class: "large" }, photo(image, "picture", { loading: "eager" }));
}

function about(image) {
  const facts = [
    ["Taken", date(image.taken) || "not known"],
    ["Size", `${number(image.width)} × ${number(image.height)}, ${bytes(image.bytes)}`],
    ["Format", image.format],
    ...Object.entries(image.labels),
  ];
  return h("div", { class: "about" }, close(),
    h("h2", {}, image.name || `Image ${image.id}`),
    h("dl", {}, facts.flatMap(([name, value]) => [h("dt", {}, name), h("dd", {}, value)])),
    h("h3", {}, plural(image.places.length, "file")),
    h("ul", { class: "places" }, image.places.map((place) => h("li", {}, h("b", {}, place.name), h("span", {}, place.folder),
      place.state !== "present" && h("span", { class: "wrong" }, place.reason ?? "missing")))),
    h("p", { class: "actions" }, h("a", { class: "button primary", href: `#/search?id=${image.id}`, on: { click: () => dialog.close() } }, "Find images like this")),
    h("p", { class: "fine" }, `id ${image.id}`));
}

dialog.addEventListener("click", (event) => {
  if (event.target === dialog) dialog.close();
});
