// One answer for many groups: asked for, watched while it is carried out, and taken back.

import { get, lines, remove, send } from "./api.js";
import { bytes, h, icon, number, plural } from "./dom.js";

const dialog = document.getElementById("viewer");
const ACTIONS = {
  quarantine: ["Move the copies away", "Of each group the file that stays is kept, and the others go to a quarantine folder. Nothing is deleted, and all of it can be brought back."],
  keep: ["Keep all files", "No file of these groups ever goes."],
  "not duplicates": ["Not duplicates", "They are never in one group again. Files of equal bytes stay in theirs."],
};
const DONE = { quarantine: "Copies are moved away", keep: "All files are kept", "not duplicates": "Remembered: no duplicates" };
const NOW = { quarantine: "Moving copies away", keep: "Keeping all files", "not duplicates": "Remembering" };

function frame(title, ...parts) {
  dialog.replaceChildren(h("div", { class: "history bulk" },
    h("button", { class: "quiet round close", type: "button", "aria-label": "Close", on: { click: () => dialog.close() } }, icon("close")),
    h("h2", {}, title), ...parts));
  dialog.setAttribute("aria-label", typeof title === "string" ? title : "Progress");
  if (!dialog.open) dialog.showModal();
}

/**
 * Ask what is to be done with all groups of a choice, do it, and call back when it has ended.
 * @param {object} found  the answer of /api/groups
 * @param {object} choice  `tier` and `folder`
 * @param {function} changed  told where there are other groups by now, or another answer is carried out
 */
export function ask(found, choice, ended, changed) {
  const option = (kind, at) => h("label", { class: "option" }, h("input", { type: "radio", name: "kind", value: kind, checked: at === 0 }),
    h("span", {}, h("b", {}, ACTIONS[kind][0]), h("span", {}, ACTIONS[kind][1])));
  const wrong = h("p", { class: "wrong", role: "alert" });
  const form = h("form", { on: { submit: async (event) => {
    event.preventDefault();
    const kind = form.elements.kind.value;
    try {
      await send("/api/bulk", { kind, tier: choice.tier || null, folder: choice.folder || null, generation: found.generation, open: found.open });
    } catch (error) {
      if (error.status === 409) {
        dialog.close();
        changed(error);
        return;
      }
      wrong.textContent = error.message;
      return;
    }
    watch(ended);
  } } }, h("fieldset", {}, h("legend", { class: "hidden" }, "What is to be done"), Object.keys(ACTIONS).map(option)), wrong,
  h("div", { class: "buttons" }, h("button", { class: "button", type: "button", on: { click: () => dialog.close() } }, "Cancel"),
    h("button", { class: "button primary" }, `Do that with ${plural(found.open, "group")}`)));
  const which = [choice.tier === "byte-equal" && "of equal bytes", choice.tier === "pixel-equal" && "of equal pixels", choice.folder && `in folders with “${choice.folder}”`].filter(Boolean);
  frame(`Clean up ${plural(found.open, "group")}`, h("p", {}, `${which.length ? `Those ${which.join(", ")}. ` : ""}${bytes(found.saved)} could be freed.`), form);
}

/** Show how far it is, until it ends. */
export async function watch(ended) {
  const bar = h("progress", { max: 1, value: 0, "aria-label": "Progress" });
  const said = h("p", { role: "status" });
  const buttons = h("div", { class: "buttons" }, h("button", { class: "button", type: "button", on: { click: () => remove("/api/bulk").catch(() => {}) } }, "Stop"));
  const title = h("span", {}, "…");
  frame(title, bar, said, buttons);
  const tell = (task) => {
    title.textContent = task.undoing ? "Taking it back" : NOW[task.kind];
    bar.max = Math.max(1, task.total);
    bar.value = task.done;
    said.textContent = `${number(task.done)} of ${plural(task.total, "group")}${task.files ? ` · ${plural(task.files, "file")}` : ""}`;
  };
  const lost = (error) => { said.textContent = `${error.message} It goes on from where it was.`; };
  let last;
  try {
    last = await lines("/api/bulk/progress", tell, (task) => task.state !== "running", lost);
  } catch (error) {
    said.textContent = error.message;
    return;
  }
  ended(last);
  const moved = last.files ? ` · ${plural(last.files, "file")} ${last.undoing ? "came back" : "moved"}` : "";
  const left = last.left ? ` · ${plural(last.left, "file")} left as they were` : "";
  const done = last.left && !last.files ? "No copy was moved" : DONE[last.kind];
  title.textContent = last.state === "done" ? done : last.state === "taken back" ? "Taken back" : "It went no further";
  said.textContent = `${plural(last.done, "group")}${moved}${left}${last.reason ? `: ${last.reason}` : ""}`;
  buttons.replaceChildren(...[
    last.state !== "taken back" && (last.done > 0 || last.files > 0) && h("button", { class: "button", type: "button", on: { click: () => takeBack(ended) } }, icon("undo"), "Take back"),
    h("button", { class: "button primary", type: "button", on: { click: () => dialog.close() } }, "Close")].filter(Boolean));
}

/** Undo the last one. */
export async function takeBack(ended) {
  try {
    await send("/api/bulk/undo");
  } catch (error) {
    frame("That did not work", h("p", { class: "wrong" }, error.message));
    return;
  }
  await watch(ended);
}

/** Return the last one, null if there was none. */
export const last = () => get("/api/bulk");
