// Duplicates, group by group: compared, decided on by a key, and taken back.

import { get, remove, send } from "./api.js";
import * as bulk from "./bulk.js";
import { MODES, modes, stage } from "./compare.js";
import { bytes, count, date, empty, h, icon, number, photo, plural, toast, typing } from "./dom.js";

export const title = "Duplicates";

const PAGE = 50;
const CHOICES = { "": "All kinds", "byte-equal": "Equal bytes", "pixel-equal": "Equal pixels" };
const KINDS = { keep: "Keep all", "not duplicates": "Not duplicates", prefer: "Keep this one" };
const TIERS = { "byte-equal": "equal bytes", "pixel-equal": "equal pixels", near: "looks like it" };

/** Show the view; return what ends it. */
export async function render(place) {
  const review = new Review(place);
  const key = (event) => review.key(event);
  await review.load();
  addEventListener("keydown", key);
  return () => {
    removeEventListener("keydown", key);
    review.end();
  };
}

class Review {
  constructor(place) {
    this.place = place;
    this.groups = [];
    this.after = null;
    this.at = 0;
    this.member = 0;
    this.swapped = false;
    this.mode = localStorage.getItem("compare") ?? "side";
    this.undone = [];
    this.timer = 0;
    this.choice = { tier: "", folder: "" };
    this.list = h("ol", { class: "groups", "aria-label": "Groups", on: { scroll: () => this.scrolled() } });
    this.main = h("section", { class: "review", "aria-live": "polite" });
  }

  async load() {
    const found = await get("/api/groups", { limit: PAGE, ...this.choice });
    Object.assign(this, { groups: found.groups, after: found.after, found });
    this.at = 0;
    this.show();
    if (found.finding) this.wait();
    // Not waited for: the keys are to work as soon as something is seen.
    bulk.last().then((task) => task?.state === "running" && bulk.watch((last) => this.ended(last)), () => {});
  }

  /** Ask again until all groups are found; what is looked at stays where it is. */
  wait() {
    clearTimeout(this.timer);
    this.timer = setTimeout(async () => {
      const found = await get("/api/groups", { limit: PAGE, ...this.choice }).catch(() => null);
      if (found) {
        this.found = found;
        const first = this.groups[0]?.number;
        if (this.at === 0 && (!first || found.groups[0]?.number !== first || !found.finding)) {
          Object.assign(this, { groups: found.groups, after: found.after });
          this.show();
        } else this.place.querySelector(".head")?.replaceWith(this.head());
      }
      if (!found || found.finding) this.wait();
    }, 1500);
  }

  end() {
    clearTimeout(this.timer);
  }

  show() {
    if (!this.chosen) count("duplicates", this.found.open);
    if (!this.groups.length && !this.chosen) {
      this.place.replaceChildren(this.head(), this.nothing());
      return;
    }
    this.list.replaceChildren(...this.groups.map((group, at) => this.item(group, at)));
    this.place.replaceChildren(h("div", { class: "duplicates" }, h("div", { class: "aside" }, this.head(), this.list), this.main));
    if (this.groups.length) this.choose(this.at, false);
    else this.main.replaceChildren(this.nothing());
  }

  nothing() {
    const { finding, done, total, error } = this.found;
    if (finding) return empty("Looking for duplicates", total ? `${number(done)} of ${plural(total, "image")} compared` : "", "copies");
    if (error) return empty("The search for duplicates has failed", error, "skipped");
    if (this.chosen) return empty("No group fits", "Choose other kinds or another folder.", "copies");
    return empty("No duplicates left", "All groups are decided on, or there were none.", "copies");
  }

  head() {
    const { open, saved, finding, done, total } = this.found;
    const state = finding && total ? ` · ${Math.round((100 * done) / total)} % compared` : "";
    return h("div", { class: "head" }, h("h1", {}, plural(open, "group")), h("p", {}, `${bytes(saved)} could be freed${state}`),
      h("button", { class: "button", type: "button", on: { click: () => this.history() } }, icon("history"), "Decisions"),
      this.choosing());
  }

  get chosen() {
    return Boolean(this.choice.tier || this.choice.folder);
  }

  choosing() {
    const { tier, folder } = this.choice;
    const change = (name) => ({ change: async (event) => {
      this.choice[name] = event.target.value.trim();
      await this.load().catch((error) => toast(error.message));
      this.place.querySelector(`[name="${name}"]`)?.focus();
    } });
    const option = ([value, name]) => h("option", { value, selected: value === tier }, name);
    return h("div", { class: "choosing" },
      h("select", { name: "tier", "aria-label": "Which groups", on: change("tier") }, Object.entries(CHOICES).map(option)),
      h("input", { name: "folder", type: "search", value: folder, placeholder: "any folder", "aria-label": "Folder", autocomplete: "off", on: change("folder") }),
      h("button", { class: "button", type: "button", disabled: !this.found.open || this.found.finding, on: { click: () => bulk.ask({ ...this.found }, this.choice, (task) => this.ended(task), (error) => this.changed(error)) } },
        `Clean up ${plural(this.found.open, "group")}…`));
  }

  /** Show the groups that there are now, and why what was asked for is not done. */
  async changed(error) {
    await this.load().catch(() => {});
    toast(error.message);
  }

  /** Show what many decisions have left. */
  async ended(task) {
    this.undone = task.state === "taken back" || !(task.done || task.files) ? [] : [{ bulk: true }];
    await this.load().catch((error) => toast(error.message));
    get("/api/groups", { limit: 1 }).then((all) => count("duplicates", all.open), () => {});
  }

  item(group, at) {
    return h("li", {}, h("button", { type: "button", class: "group", "data-at": at, on: { click: () => this.choose(at) } },
      h("span", { class: "thumbs" }, [group.keep, ...group.members].slice(0, 3).map((file) => photo(file, "thumbnail", { alt: "" }))),
      h("span", { class: "said" }, h("b", {}, group.keep.name), h("span", {}, `${plural(group.files, "file")} · ${bytes(group.saved)}`))));
  }

  async scrolled() {
    const { scrollTop, clientHeight, scrollHeight } = this.list;
    if (scrollTop + clientHeight < scrollHeight - 600) return;
    await this.extend();
  }

  async extend() {
    if (this.after === null || this.busy) return;
    this.busy = true;
    const found = await get("/api/groups", { limit: PAGE, after: this.after, ...this.choice }).catch(() => null);
    this.busy = false;
    if (!found) return;
    const first = this.groups.length;
    this.groups.push(...found.groups);
    this.after = found.after;
    this.list.append(...found.groups.map((group, at) => this.item(group, first + at)));
  }

  choose(at, scroll = true) {
    this.at = Math.max(0, Math.min(at, this.groups.length - 1));
    this.member = 0;
    this.swapped = false;
    for (const button of this.list.querySelectorAll("button")) {
      const mine = Number(button.dataset.at) === this.at;
      if (mine) button.setAttribute("aria-current", "true");
      else button.removeAttribute("aria-current");
      if (mine && scroll) button.scrollIntoView({ block: "nearest" });
    }
    if (this.at > this.groups.length - 10) this.extend();
    this.draw();
  }

  draw() {
    const group = this.groups[this.at];
    const keep = { ...group.keep, keeps: true };
    const member = group.members[this.member];
    const other = { ...member, said: said(member) };
    const pair = this.swapped ? [other, keep] : [keep, other];
    this.main.replaceChildren(
      modes(this.mode, (mode) => this.compare(mode), () => this.swap()),
      stage(...pair, this.mode),
      ...(group.members.length > 1 ? [this.members(group)] : []),
      this.actions(group));
  }

  members(group) {
    return h("div", { class: "members", role: "group", "aria-label": "Files of the group" }, group.members.map((member, at) =>
      h("button", { type: "button", "aria-pressed": String(at === this.member), "aria-label": `Compare with ${member.name}`, on: { click: () => this.look(at) } }, photo(member, "thumbnail", { alt: "" }))));
  }

  actions(group) {
    const single = ids(group).length < 2;
    const equal = group.members[this.member].id === group.keep.id;
    return h("div", { class: "decide" },
      h("div", { class: "buttons" },
        h("button", { class: "button", type: "button", on: { click: () => this.choose(this.at - 1) } }, "Back", h("kbd", {}, "k")),
        h("button", { class: "button", type: "button", on: { click: () => this.choose(this.at + 1) } }, "Next", h("kbd", {}, "j")),
        h("span", { class: "gap" }),
        h("button", { class: "button decision prefer", type: "button", disabled: equal, title: equal ? "Both have the same bytes" : null, on: { click: () => this.prefer() } }, icon("swap"), "Keep the other instead", h("kbd", {}, "o")),
        h("button", { class: "button decision", type: "button", disabled: single, title: single ? "Files of equal bytes are one image" : null, on: { click: () => this.decide("not duplicates") } }, icon("apart"), "Not duplicates", h("kbd", {}, "n")),
        h("button", { class: "button primary decision", type: "button", on: { click: () => this.decide("keep") } }, icon("lock"), "Keep all", h("kbd", {}, "a")),
        h("button", { class: "button", type: "button", disabled: !this.undone.length, on: { click: () => this.undo() } }, icon("undo"), "Undo", h("kbd", {}, "u"))),
      h("p", { class: "fine" }, "These only decide, and move nothing. ", h("b", {}, "Clean up…"), " moves the copies of the groups that are left into a quarantine, and can be taken back."));
  }

  look(at) {
    this.member = at;
    this.draw();
  }

  compare(mode) {
    this.mode = mode;
    localStorage.setItem("compare", mode);
    this.draw();
  }

  swap() {
    this.swapped = !this.swapped;
    this.draw();
  }

  async decide(kind) {
    const group = this.groups[this.at];
    if (!group || this.deciding || (kind === "not duplicates" && ids(group).length < 2)) return;
    this.deciding = true;
    try {
      const { decision } = await send("/api/decisions", { kind, images: ids(group), group: group.number });
      this.undone.push({ decision, group, at: this.at });
      this.groups.splice(this.at, 1);
      this.recount(group, -1);
      toast(kind === "keep" ? "All files of the group are kept." : "Remembered: no duplicates.", { name: "Undo", run: () => this.undo() });
    } catch (error) {
      if (error.status === 409) await this.load();
      toast(error.message);
    } finally {
      this.deciding = false;
    }
  }

  /** Let the file that is compared stay in place of the one that does. */
  async prefer() {
    const group = this.groups[this.at];
    const chosen = group?.members[this.member].id;
    if (!group || this.deciding || chosen === group.keep.id) return;
    this.deciding = true;
    try {
      const { decision } = await send("/api/decisions", { kind: "prefer", images: [chosen], group: group.number });
      const made = await get(`/api/groups/${group.number}`);
      this.undone.push({ decision, group, at: this.at, preferred: true });
      this.groups.splice(this.at, 1, made);
      this.found.saved += made.saved - group.saved;
      this.show();
      toast(`${made.keep.name} stays now.`, { name: "Undo", run: () => this.undo() });
    } catch (error) {
      if (error.status === 409 || error.status === 404) await this.load();
      toast(error.message);
    } finally {
      this.deciding = false;
    }
  }

  async undo() {
    const last = this.undone.pop();
    if (!last) return;
    if (last.bulk) {
      await bulk.takeBack((task) => this.ended(task));
      return;
    }
    try {
      await remove(`/api/decisions/${last.decision}`);
      if (last.preferred) await this.load();
      else {
        this.at = Math.min(last.at, this.groups.length);
        this.groups.splice(this.at, 0, last.group);
        this.recount(last.group, 1);
      }
      toast("Taken back.");
    } catch (error) {
      this.undone.push(last);
      toast(error.message);
    }
  }

  recount(group, change) {
    this.found.open += change;
    this.found.saved += change * group.saved;
    this.at = Math.max(0, Math.min(this.at, this.groups.length - 1));
    this.show();
    this.list.querySelector("[aria-current]")?.scrollIntoView({ block: "nearest" });
  }

  async history() {
    const [{ decisions }, away] = await Promise.all([get("/api/decisions", { limit: 100 }), bulk.last()]);
    const moved = away?.kind === "quarantine" && away.files && away.state !== "taken back"
      && h("li", {}, h("span", { class: "said" }, h("b", {}, "Copies moved away"), h("span", {}, `${plural(away.files, "file")} of ${plural(away.done, "group")}`)),
        h("button", { class: "button", type: "button", on: { click: () => bulk.takeBack((task) => this.ended(task)) } }, icon("undo"), "Bring back"));
    const dialog = document.getElementById("viewer");
    const row = (one) => h("li", {}, h("span", { class: "thumbs" }, one.images.slice(0, 4).map((id) => photo({ id, name: "" }, "thumbnail", { alt: "" }))),
      h("span", { class: "said" }, h("b", {}, KINDS[one.kind]), h("span", {}, `${one.count > 1 ? plural(one.count, "group") : plural(one.images.length, "image")} · ${date(one.time)}`)),
      h("button", { class: "button", type: "button", on: { click: async (event) => {
        event.target.closest("button").disabled = true;
        await remove(`/api/decisions/${one.decision}`).catch((error) => toast(error.message));
        this.undone = this.undone.filter((other) => other.decision !== one.decision);
        event.target.closest("li").remove();
        await this.load();
      } } }, icon("undo"), "Take back"));
    dialog.replaceChildren(h("div", { class: "history" }, h("button", { class: "quiet round close", type: "button", "aria-label": "Close", on: { click: () => dialog.close() } }, icon("close")),
      h("h2", {}, "Decisions"), moved || decisions.length ? h("ul", {}, moved, decisions.map(row)) : h("p", {}, "None yet.")));
    dialog.showModal();
  }

  key(event) {
    if (typing(event)) return;
    const members = this.groups[this.at]?.members.length ?? 0;
    const run = {
      j: () => this.choose(this.at + 1),
      k: () => this.choose(this.at - 1),
      n: () => this.decide("not duplicates"),
      a: () => this.decide("keep"),
      o: () => this.prefer(),
      u: () => this.undo(),
      x: () => this.swap(),
      c: () => this.compare(MODES[(MODES.indexOf(this.mode) + 1) % MODES.length]),
      "[": () => this.look((this.member + members - 1) % members),
      "]": () => this.look((this.member + 1) % members),
    }[event.key];
    if (!run || (!this.groups.length && event.key !== "u")) return;
    event.preventDefault();
    run();
  }
}

const ids = (group) => [...new Set([group.keep.id, ...group.members.map((member) => member.id)])];

function said(member) {
  const turned = member.transform ? `, ${member.transform.replaceAll("_", " ")}` : "";
  return member.tier === "near" ? `${TIERS.near}: ${plural(member.distance, "bit")} differ${turned}` : `${TIERS[member.tier] ?? member.tier}${turned}`;
}
