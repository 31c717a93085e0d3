// A picture that is dropped, pasted or picked anywhere on the page.

/** The picture that is searched for, until there is another: {file, url}. */
export const picked = { file: null, url: null };

const DATABASE = "hashret";
const STORE = "picked";

let tell = () => {};

export function take(file) {
  if (!file) return;
  put(file);
  // Not waited for: a browser that keeps nothing, as in a private window, can search all the same.
  kept("readwrite", (store) => store.put(file, "last")).catch(() => {});
  tell();
}

/** After a reload, bring back the picture that was picked before, if this browser still has it. */
export async function recall() {
  if (picked.file) return;
  const file = await kept("readonly", (store) => store.get("last")).catch(() => null);
  if (file && !picked.file) put(file);
}

function put(file) {
  if (picked.url) URL.revokeObjectURL(picked.url);
  picked.file = file;
  picked.url = URL.createObjectURL(file);
}

function done(request) {
  return new Promise((resolve, reject) => {
    request.onsuccess = () => resolve(request.result);
    request.onerror = () => reject(request.error);
  });
}

async function kept(mode, work) {
  const opening = indexedDB.open(DATABASE, 1);
  opening.onupgradeneeded = () => opening.result.createObjectStore(STORE);
  const database = await done(opening);
  try {
    return await done(work(database.transaction(STORE, mode).objectStore(STORE)));
  } finally {
    database.close();
  }
}

function carries(event) {
  return [...(event.dataTransfer?.types ?? [])].includes("Files");
}

/** Listen for pictures. */
export function accept(listener) {
  tell = listener;
  const veil = document.getElementById("drop");
  let depth = 0;
  const cover = (change) => {
    depth = Math.max(0, change);
    veil.classList.toggle("over", depth > 0);
  };
  addEventListener("dragenter", (event) => carries(event) && cover(depth + 1));
  addEventListener("dragleave", (event) => carries(event) && cover(depth - 1));
  addEventListener("dragover", (event) => carries(event) && event.preventDefault());
  addEventListener("drop", (event) => {
    if (!carries(event)) return;
    event.preventDefault();
    cover(0);
    take(event.dataTransfer.files[0]);
  });
  addEventListener("paste", (event) => {
    const file = [...(event.clipboardData?.files ?? [])].find((one) => one.type.startsWith("image/"));
    if (file) take(file);
  });
}
