// Files that cannot be read, and those that are missing, with the reasons.

import { get } from "./api.js";
import { empty, h, plural } from "./dom.js";

export const title = "Skipped";

const STATES = { skipped: "Cannot be read", missing: "Missing" };

/** Show the view. */
export async function render(place, values) {
  const state = Object.hasOwn(STATES, values.get("state") ?? "") ? values.get("state") : "skipped";
  const found = await get("/api/skipped", { state });
  const tabs = h("nav", { class: "choice", "aria-label": "Which files" }, Object.entries(STATES).map(([one, name]) =>
    h("a", { href: `#/skipped?state=${one}`, "aria-current": one === state ? "page" : null }, name)));
  const head = h("div", { class: "head" }, h("h1", {}, plural(found.count, "file")), tabs);
  const nothing = state === "skipped" ? "Every picture was read." : "Every file that was known is still there.";
  const body = found.files.length ? table(found, state) : empty("All is well", nothing, "folder");
  place.replaceChildren(h("div", { class: "skipped" }, head, body));
}

function table(found, state) {
  const rows = h("tbody", {}, found.files.map(row));
  let { after } = found;
  const more = h("button", { class: "button", type: "button", hidden: after === null, on: { click: async () => {
    const next = await get("/api/skipped", { state, after });
    rows.append(...next.files.map(row));
    after = next.after;
    more.hidden = after === null;
  } } }, "Show more");
  return h("div", {}, h("table", {}, h("thead", {}, h("tr", {}, ["File", "Folder", "Reason"].map((name) => h("th", { scope: "col" }, name)))), rows), more);
}

function row(file) {
  return h("tr", {}, h("th", { scope: "row" }, file.name), h("td", {}, file.folder), h("td", { class: "reason" }, file.reason));
}
