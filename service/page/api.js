// API: requests to this service, with the key of this tab, and its errors with their hints; busy or restarting, it is asked again.

const KEY = "almanac.key";
const PATIENCE_SECONDS = 60;
const LONGEST_PAUSE_SECONDS = 8;
const BUSY = [429, 503];
const waiting = new Set();

/** An error of the service: a stable code, what is wrong, where, and what to do. */
export class Problem extends Error {
  constructor({ code = "", detail = "", hint = "", pointer = "", errors = [] }, status = 0) {
    super(detail);
    Object.assign(this, { code, detail, hint, pointer, errors: errors ?? [], status });
  }
}

export function key() {
  return sessionStorage.getItem(KEY);
}

export function setKey(text) {
  if (text) sessionStorage.setItem(KEY, text);
  else sessionStorage.removeItem(KEY);
}

/**
 * Return the answer to a request as data; raises Problem. With `again`, as for every GET, a busy service is asked again when it
 * says so (Retry-After), and one that does not answer after 1, 2, 4 … seconds: for a minute, with a line that says this.
 */
export async function ask(path, options = {}) {
  const { method = "GET", again = method === "GET", signal } = options;
  const until = Date.now() + 1000 * PATIENCE_SECONDS;
  for (let tries = 0; ; tries += 1) {
    try {
      return await send(path, options);
    } catch (error) {
      const seconds = again ? pause(error, tries) : null;
      if (seconds === null || Date.now() + 1000 * seconds > until) {
        if (error.status === 401 && path !== "page/session") document.dispatchEvent(new CustomEvent("locked"));
        throw error;
      }
      await wait(`${error.status ? "The service is busy." : error.detail} It is asked again in ${Math.ceil(seconds)} s.`, seconds, signal);
    }
  }
}

async function send(path, { method = "GET", body, type, signal }) {
  const headers = { accept: "application/json" };
  if (type) headers["content-type"] = type;
  if (key()) headers["x-api-key"] = key();
  let response;
  let text;
  try {
    response = await fetch(path, { method, headers, body, signal, credentials: "omit", cache: "no-store" });
    text = await response.text();
  } catch (error) {
    if (error.name === "AbortError") throw error;
    throw new Problem({ code: "UNREACHABLE", detail: "The service does not answer.", hint: "Check that `almanac serve` runs, then try again." });
  }
  const data = text ? parse(text) : null;
  if (response.ok) return data;
  const problem = new Problem(data ?? { detail: `The service answered ${response.status}.` }, response.status);
  problem.after = Number(response.headers.get("retry-after")) || null;
  throw problem;
}

/** Return the seconds until a request is worth another try, null if it is not. */
function pause(error, tries) {
  if (BUSY.includes(error.status)) return error.after;
  return error.code === "UNREACHABLE" ? Math.min(2 ** tries, LONGEST_PAUSE_SECONDS) : null;
}

/** Show why nothing happens for some seconds; raises what the signal is aborted with. */
async function wait(text, seconds, signal) {
  const box = document.getElementById("waiting");
  const one = {};
  waiting.add(one);
  box.textContent = text;
  box.hidden = false;
  try {
    await new Promise((resolve, reject) => {
      setTimeout(resolve, 1000 * seconds);
      signal?.addEventListener("abort", () => reject(signal.reason), { once: true });
    });
  } finally {
    waiting.delete(one);
    box.hidden = waiting.size === 0;
  }
}

function parse(text) {
  try {
    return JSON.parse(text);
  } catch {
    return { detail: text.slice(0, 200) };
  }
}

/** Return the answer to a JSON body. */
export function post(path, data, options = {}) {
  return ask(path, { method: "POST", body: JSON.stringify(data), type: "application/json", ...options });
}

/** Return a path with its parts encoded: an id may have any characters. */
export function at(...parts) {
  return parts.map((part) => String(part).split("/").map(encodeURIComponent).join("/")).join("/");
}

/** Return a query string of the parameters that have a value. */
export function query(parameters) {
  const set = Object.entries(parameters).filter(([, value]) => value !== null && value !== undefined && value !== "");
  return set.length ? `?${new URLSearchParams(set)}` : "";
}
