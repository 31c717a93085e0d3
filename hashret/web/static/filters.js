// The fields of a filter, and the words that they become.

import { get } from "./api.js";
import { h } from "./dom.js";

const quoted = (text) => `"${text.replaceAll('"', '""')}"`;

/**
 * Return the filter that fields ask for.
 * @param {object} given  `from`, `to`: days; `folder`; `size`: in MB; `label`; `words`.
 */
export function filterOf({ from, to, folder, size, label, words }) {
  const parts = [];
  if (from) parts.push(`taken >= ${from}`);
  if (to) parts.push(`taken <= ${to}`);
  if (folder) parts.push(`folder = ${quoted(folder)}`);
  if (size) parts.push(`size >= ${size}MB`);
  if (label) parts.push(`label = ${quoted(label)}`);
  if (words) parts.push(parts.length ? `(${words})` : words);
  return parts.join(" and ");
}

const FIELDS = ["from", "to", "folder", "size", "label", "words"];

/**
 * Make the fields.
 * @param {URLSearchParams} values  what they start with
 * @param {object} collection
 * @param {function} changed  called with all values after a change
 */
export function filters(values, collection, changed) {
  const has = FIELDS.some((name) => values.get(name));
  const input = (name, label, properties = {}) => h("label", { class: `field ${name}` }, h("span", {}, label),
    h("input", { name, value: values.get(name) ?? "", autocomplete: "off", ...properties }));
  const known = h("datalist", { id: "folders" });
  // Asked for when someone comes to the field: a large collection has many.
  const suggest = () => get("/api/folders").then((rows) => known.replaceChildren(...rows.slice(0, 500).map((row) => h("option", { value: row.name }))), () => {});
  const clear = h("button", { class: "button", type: "button", hidden: !has, on: { click: () => changed(Object.fromEntries(FIELDS.map((name) => [name, ""]))) } }, "Clear filters");
  // A part of a folder's name becomes a pattern; a root's name may stand before a folder.
  const folder = (typed) => {
    const root = collection.roots.find(({ name }) => typed.startsWith(`${name}/`));
    const inside = root ? typed.slice(root.name.length + 1) : typed;
    const whole = !inside || inside.includes("*") || [...known.children].some(({ value }) => value === inside);
    return whole ? inside : `*${inside}*`;
  };
  const value = (name) => (name === "folder" ? folder : String)(form.elements[name]?.value.trim() ?? "");
  const form = h("form", { class: "filters", on: {
    submit: (event) => event.preventDefault(),
    change: () => changed(Object.fromEntries(FIELDS.map((name) => [name, value(name)]))),
  } },
  input("from", "From", { type: "date" }),
  input("to", "Until", { type: "date" }),
  (values.get("from") || values.get("to")) && h("p", { class: "fine" }, "Pictures that do not say when they were taken are left out."),
  input("folder", "Folder", { list: "folders", placeholder: "any, or a part of its name", on: { focus: suggest } }), known,
  input("size", "At least, MB", { type: "number", min: "0", step: "0.1", placeholder: "any" }),
  collection.keys?.includes("label") && input("label", "Label", { placeholder: "any" }),
  input("words", "In words", { placeholder: "width > 3000 and format = jpeg", spellcheck: "false" }), clear);
  return h("details", { class: "panel", open: has || null }, h("summary", {}, "Filters"), form);
}
