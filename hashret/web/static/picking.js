// A picture that is dropped, pasted or picked anywhere on the page.

/** The picture that is searched for, until there is another: {file, url}. */
export const picked = { file: null, url: null };

let tell = () => {};

export function take(file) {
  if (!file) return;
  if (picked.url) URL.revokeObjectURL(picked.url);
  picked.file = file;
  picked.url = URL.createObjectURL(file);
  tell();
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
