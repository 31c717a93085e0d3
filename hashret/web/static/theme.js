// Runs before anything is drawn, so that a page that is dark is never light for a moment.
"use strict";
{
  const kept = localStorage.getItem("theme");
  if (kept === "dark" || kept === "light") document.documentElement.dataset.theme = kept;
}
