// The page: one view at a time, told by what follows # in the address.

import { get } from "./api.js";
import { count, empty, h, plural } from "./dom.js";
import { accept } from "./picking.js";

const VIEWS = {
  search: () => import("./search.js"),
  duplicates: () => import("./duplicates.js"),
  map: () => import("./map.js"),
  folders: () => import("./folders.js"),
  skipped: () => import("./skipped.js"),
};

const place = document.getElementById("view");
let leave = null;
let turn = 0;
/** What there is in the collection; the same object for all views. */
const collection = {};

function route() {
  const [path, query = ""] = location.hash.replace(/^#\/?/, "").split("?");
  return { name: Object.hasOwn(VIEWS, path) ? path : "search", values: new URLSearchParams(query) };
}

async function show() {
  const mine = ++turn;
  document.getElementById("toast").replaceChildren();
  document.getElementById("viewer").close();
  const { name, values } = route();
  for (const link of document.querySelectorAll("nav a")) {
    if (link.dataset.view === name) link.setAttribute("aria-current", "page");
    else link.removeAttribute("aria-current");
  }
  let module;
  try {
    module = await VIEWS[name]();
  } catch {
    place.replaceChildren(empty("The server does not answer", "Start hashret serve again, then reload this page.", "skipped", "h1"));
    return;
  }
  if (mine !== turn) return;
  const { render, title } = module;
  document.title = `${title} · hashret`;
  document.body.dataset.view = name;
  leave?.();
  leave = null;
  try {
    leave = (await render(place, values, collection)) ?? null;
  } catch (error) {
    place.replaceChildren(empty("That did not work", error.message, "skipped", "h1"));
  }
}

async function learn() {
  Object.assign(collection, await get("/api/info"));
  const { images, files, roots, encoders } = collection;
  document.getElementById("facts").textContent = plural(images, "image");
  count("skipped", (files.skipped ?? 0) + (files.missing ?? 0));
  const lost = roots.filter((root) => !root.reachable).map((root) => `“${root.name}”`);
  const words = [];
  if (lost.length) words.push(`${lost.join(", ")} cannot be reached: its images are still found, but not shown unless they were before.`);
  if (images && !encoders.length) words.push("No image has a code yet: run hashret index.");
  document.getElementById("banner").replaceChildren(...words.map((text) => h("p", {}, text)));
  get("/api/groups", { limit: 1 }).then((found) => count("duplicates", found.open), () => {});
}

function dark() {
  const { theme } = document.documentElement.dataset;
  return theme ? theme === "dark" : matchMedia("(prefers-color-scheme: dark)").matches;
}

function nameTheme() {
  document.getElementById("theme").setAttribute("aria-label", dark() ? "Switch to light" : "Switch to dark");
}

document.getElementById("theme").addEventListener("click", () => {
  const theme = dark() ? "light" : "dark";
  document.documentElement.dataset.theme = theme;
  localStorage.setItem("theme", theme);
  nameTheme();
  dispatchEvent(new Event("theme"));
});
document.querySelector(".skip").addEventListener("click", (event) => {
  event.preventDefault();
  place.focus();
});

nameTheme();
accept(() => {
  const { name, values } = route();
  const { id, text, ...kept } = name === "search" ? Object.fromEntries(values) : {};
  location.hash = `#/search?${new URLSearchParams({ ...kept, upload: Date.now() })}`;
});
try {
  await learn();
} catch (error) {
  document.getElementById("banner").replaceChildren(h("p", {}, error.message));
}
addEventListener("hashchange", show);
show();
