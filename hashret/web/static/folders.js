// Folders in time, the latest year first.

import { get } from "./api.js";
import { bytes, date, empty, h, photo, plural } from "./dom.js";

export const title = "Folders";

/** Show the view. */
export async function render(place) {
  const folders = await get("/api/folders");
  if (!folders.length) {
    place.replaceChildren(empty("No folders yet", "hashret index FOLDER puts photographs into this collection.", "folder", "h1"));
    return;
  }
  const years = Map.groupBy?.(folders, (one) => one.last?.slice(0, 4) ?? "No date") ?? grouped(folders);
  const parts = [...years].map(([year, rows]) => h("section", { class: "year" }, h("h2", {}, year), h("ul", {}, rows.map(card))));
  place.replaceChildren(h("div", { class: "folders" }, h("div", { class: "head" }, h("h1", {}, plural(folders.length, "folder"))), ...parts));
}

function grouped(folders) {
  const years = new Map();
  for (const one of folders) {
    const year = one.last?.slice(0, 4) ?? "No date";
    years.set(year, [...(years.get(year) ?? []), one]);
  }
  return years;
}

function card(folder) {
  const from = date(folder.first);
  const until = date(folder.last);
  const time = from && until && from !== until ? `${from} – ${until}` : until || "no date known";
  const href = folder.filter ? `#/search?${new URLSearchParams({ words: folder.filter })}` : "#/search";
  return h("li", {}, h("a", { href, class: "folder" },
    h("span", { class: `covers n${Math.min(4, folder.covers.length)}` }, folder.covers.map((id) => photo({ id, name: "" }, "thumbnail", { alt: "" }))),
    h("b", {}, folder.name), h("span", {}, time), h("span", {}, `${plural(folder.files, "image")} · ${bytes(folder.bytes)}`)));
}
