// DOM: makes elements from data. Text is always set as text, so that an id such as `<script>` is only shown.

const PROPERTIES = new Set(["value", "checked", "disabled", "hidden", "selected", "open", "multiple"]);

/** Return an element; `on…` functions become listeners, other options attributes; children are nodes or text. */
export function el(tag, options = {}, ...children) {
  const made = document.createElement(tag);
  for (const [name, value] of Object.entries(options)) {
    if (value === undefined || value === null) continue;
    if (name.startsWith("on")) made.addEventListener(name.slice(2), value);
    else if (PROPERTIES.has(name)) made[name] = value;
    else made.setAttribute(name, String(value));
  }
  made.append(...children.flat(Infinity).filter((one) => one !== null && one !== undefined && one !== false));
  return made;
}

const shown = new WeakMap();

/** Replace the children of an element by what `make` returns for data, unless it shows these data: the focus stays where it is. */
export function refill(parent, data, make) {
  const text = JSON.stringify(data);
  if (shown.get(parent) === text) return;
  fill(parent, make(data));
  shown.set(parent, text);
}

/** Replace the children of an element. */
export function fill(parent, ...children) {
  shown.delete(parent);
  parent.replaceChildren(...children.flat(Infinity).filter((one) => one !== null && one !== undefined && one !== false));
  return parent;
}

const [SMALL, LARGE] = [1e-6, 1e15];
const plain = new Intl.NumberFormat("en", { maximumSignificantDigits: 6, useGrouping: true });

/** Return a number as text with six digits, a dash for what is unknown. */
export function number(value) {
  if (value === null || value === undefined || Number.isNaN(value)) return "–";
  const size = Math.abs(value);
  return size >= LARGE || (size < SMALL && size > 0) ? String(Number(value.toPrecision(6))) : plain.format(value);
}

/** Return a share such as 0.801 as `80 %`. */
export function percent(value) {
  return value === null || value === undefined ? "–" : `${(100 * value).toFixed(0)} %`;
}

/** Return an error measure with three decimals. */
export function measure(value) {
  return value === null || value === undefined || !Number.isFinite(value) ? "–" : value.toFixed(3);
}

const MOMENT = { year: "numeric", month: "short", day: "numeric", hour: "2-digit", minute: "2-digit" };

/** Return a moment as the reader's own date and time, and the time zone if asked for. */
export function moment(text, timeZoneName) {
  if (!text) return "–";
  const at = new Date(text);
  return Number.isNaN(at.getTime()) ? text : at.toLocaleString([], { ...MOMENT, timeZoneName });
}

const LONG_TEXT = 24;

/** Return whether a cell has a number, or a dash in place of one. */
function isFigure(content) {
  return content === null || content === undefined || typeof content === "number" || content.tagName === "DATA" || /^(–|[\d.,]+( %)?)$/.test(content);
}

/** Return a cell; a number keeps its full value in a `data` element. */
function cell(content, isNumber) {
  const kind = isNumber ? "number" : content?.length > LONG_TEXT ? "wide" : null;
  return el("td", { class: kind }, typeof content === "number" ? datum(content, number(content)) : content ?? "–");
}

/** Return text with the number that it stands for. */
export function datum(value, text) {
  return el("data", { value }, text);
}

/** Return a table in a box that scrolls sideways; its first column names the rows. */
export function table(caption, head, rows) {
  const isNumber = (at) => rows.every((row) => isFigure(row[at])) && rows.some((row) => !/^–?$/.test(row[at] ?? ""));
  const numeric = head.map((_, at) => at > 0 && isNumber(at));
  const body = rows.map((row) => el("tr", {}, row.map((one, at) => (at ? cell(one, numeric[at]) : el("th", { scope: "row" }, one ?? "–")))));
  return el("div", { class: "scroll", tabindex: "0", role: "region", "aria-label": caption },
    el("table", {},
      el("caption", { class: "unseen" }, caption),
      el("thead", {}, el("tr", {}, head.map((one, at) => el("th", { scope: "col", class: numeric[at] ? "number" : null }, one)))),
      el("tbody", {}, body)));
}

/** Return pairs of terms and descriptions as a list; those without a description are left out. */
export function facts(pairs) {
  return el("dl", { class: "facts" }, pairs.filter(([, value]) => value !== null && value !== undefined && value !== "")
    .map(([term, value]) => el("div", {}, el("dt", {}, term), el("dd", {}, value))));
}

/** Return a heading with a line below it. */
export function intro(title, text) {
  return el("div", { class: "intro" }, el("h1", {}, title), el("p", { class: "muted" }, text));
}

/** Tell screen readers something that others see. */
export function announce(text) {
  document.getElementById("announce").textContent = text;
}

/** Return a text of the service with what stands between backticks as code; a parameter of a URL is decoded. */
export function words(text) {
  return text.split(/`([^`]+)`/).map((part, at) => (at % 2 ? el("code", {}, part.startsWith("?") ? decoded(part) : part) : part));
}

/** Return percent-decoded text; what is not encoded stays. */
export function decoded(text) {
  try {
    return decodeURIComponent(text);
  } catch {
    return text;
  }
}

/** Return an error of the service as a notice: what is wrong, and what to do. */
export function failure(error) {
  return el("div", { class: "notice bad", role: "alert" },
    el("strong", {}, words(error.detail || error.message || "The service did not answer.")),
    error.hint ? el("p", {}, words(error.hint)) : null,
    error.after ? el("p", {}, `The service asks to wait for ${error.after} s.`) : null,
    error.code ? el("code", {}, error.code) : null);
}
