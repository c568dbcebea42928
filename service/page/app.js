// App: the views, the key, and light or dark.

import { ask, key, setKey } from "./api.js";
import { announce, failure, fill, words } from "./dom.js";

// The scopes of which one opens a view, and the module that draws it.
const VIEWS = {
  forecast: { scopes: ["forecast", "admin"], load: () => import("./forecast.js") },
  accuracy: { scopes: ["read", "observe", "admin"], load: () => import("./accuracy.js") },
  models: { scopes: ["forecast", "observe", "admin"], load: () => import("./models.js") },
  jobs: { scopes: ["admin"], load: () => import("./jobs.js") },
};

const door = document.getElementById("door");
const SIGN = /[^\x21-\x7e]/u;
let session = null;
let scopes = null;
const drawn = new Map();

function allowed(name) {
  return VIEWS[name].scopes.some((scope) => session.scopes.includes(scope));
}

function wanted() {
  const name = location.hash.slice(1).split("/")[0];
  const first = Object.keys(VIEWS).find(allowed);
  return VIEWS[name] && allowed(name) ? name : first;
}

async function show() {
  if (!session) return;
  const name = wanted();
  for (const panel of document.querySelectorAll("[data-panel]")) panel.hidden = panel.id !== name;
  for (const link of document.querySelectorAll("nav a")) {
    if (link.dataset.view === name) link.setAttribute("aria-current", "page");
    else link.removeAttribute("aria-current");
  }
  if (!name) {
    lock(`This key opens no view: it has the scope ${session.scopes.join(", ")}; the page needs forecast, read, observe or admin.`);
    return;
  }
  document.title = `${name[0].toUpperCase()}${name.slice(1)} · Almanac`;
  const panel = document.getElementById(name);
  try {
    if (!drawn.has(name)) {
      drawn.set(name, VIEWS[name].load().then((module) => module.draw(panel, session)));
    } else {
      const view = await drawn.get(name);
      view?.refresh?.();
    }
    await drawn.get(name);
  } catch (error) {
    drawn.delete(name);
    fill(panel, failure(error));
  }
}

/** Ask for a key; what the views show stays behind the question. */
function lock(text) {
  session = null;
  setKey(null);
  for (const panel of document.querySelectorAll("[data-panel]")) panel.hidden = true;
  door.hidden = false;
  document.querySelector("nav").hidden = true;
  fill(document.getElementById("door-error"), words(text));
  document.getElementById("key").value = "";
  document.getElementById("key").focus();
}

async function open() {
  let found;
  try {
    found = await ask("page/session");
  } catch (error) {
    if (error.status === 401) lock(key() ? "This key is unknown or has expired." : "");
    else fill(document.getElementById("forecast"), failure(error)).hidden = false;
    return;
  }
  if (scopes !== String(found.scopes)) drawn.clear(); // another key sees other things
  scopes = String(found.scopes);
  session = found;
  door.hidden = true;
  document.querySelector("nav").hidden = false;
  document.getElementById("forget").hidden = !session.keys;
  for (const link of document.querySelectorAll("nav a")) link.hidden = !allowed(link.dataset.view);
  await show();
}

function isDark() {
  return document.documentElement.dataset.theme === "dark";
}

function drawTheme() {
  const button = document.getElementById("theme");
  button.setAttribute("aria-pressed", String(isDark()));
  document.dispatchEvent(new CustomEvent("theme"));
}

document.getElementById("theme").addEventListener("click", () => {
  const chosen = isDark() ? "light" : "dark";
  document.documentElement.dataset.theme = chosen;
  try {
    localStorage.setItem("almanac.theme", chosen);
  } catch {
    // storage is switched off: the choice holds until the page is loaded again
  }
  drawTheme();
  announce(`${chosen} colours`);
});
document.getElementById("forget").addEventListener("click", () => {
  setKey(null);
  location.reload();
});
document.getElementById("door-form").addEventListener("submit", (event) => {
  event.preventDefault();
  const typed = document.getElementById("key").value.trim();
  const [wrong] = SIGN.exec(typed) ?? [];
  fill(document.getElementById("door-error"), words(wrong ? `No key has the character '${wrong}'. Copy the key as \`almanac key add\` printed it.` : ""));
  if (wrong) return;
  setKey(typed);
  open();
});
document.addEventListener("locked", () => session && lock("The key has expired or was revoked. What you pasted is still here: enter another key."));
for (const name of ["dragover", "drop"]) addEventListener(name, (event) => event.preventDefault()); // beside the page's box, a file would replace the page
matchMedia("(prefers-color-scheme: dark)").addEventListener("change", drawTheme);
addEventListener("hashchange", show);
drawTheme();
open();
