// API: requests to this service, with the key of this tab, and its errors with their hints.

const KEY = "almanac.key";

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

/** Return the answer to a request as data; raises Problem. */
export async function ask(path, { method = "GET", body, type, signal } = {}) {
  const headers = { accept: "application/json" };
  if (type) headers["content-type"] = type;
  if (key()) headers["x-api-key"] = key();
  let response;
  try {
    response = await fetch(path, { method, headers, body, signal, credentials: "omit", cache: "no-store" });
  } catch (error) {
    if (error.name === "AbortError") throw error;
    throw new Problem({ code: "UNREACHABLE", detail: "The service does not answer.", hint: "Check that `almanac serve` runs, then try again." });
  }
  const text = await response.text();
  const data = text ? parse(text) : null;
  if (!response.ok) throw new Problem(data ?? { detail: `The service answered ${response.status}.` }, response.status);
  return data;
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
