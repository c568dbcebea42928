// Findings: what the service understands of a series before anything is forecast.

import { decoded, el, facts, number, words } from "./dom.js";

const NAMES = { Y: "yearly", Q: "quarterly", M: "monthly", W: "weekly", D: "daily", B: "on business days", h: "hourly", bh: "in business hours", min: "every minute", s: "every second" };
const UNITS = { Y: "year", Q: "quarter", M: "month", W: "week", D: "day", B: "business day", h: "hour", bh: "business hour", min: "minute", s: "second" };
const SEASONS = { 7: "a week", 5: "a week", 12: "a year", 4: "a year", 52: "a year", 24: "a day", 48: "a day", 96: "a day", 288: "a day" };
const REPAIRS = {
  GAP_MASKED: (count) => (count === 1 ? "1 empty value stays a gap" : `${number(count)} empty values stay gaps`),
  GAP_INSERTED: (count) => (count === 1 ? "1 missing date added as a gap" : `${number(count)} missing dates added as gaps`),
  GAP_ZERO: (count) => `${plural(count, "missing date")} read as zero`,
  TIMESTAMPS_SNAPPED: (count) => `${plural(count, "date")} moved to the nearest step`,
  ROWS_REPEATED: (count) => `${plural(count, "repeated row")} left out`,
};
const PARAMETERS = ["id_column", "time_column", "value_column", "decimal", "thousands", "date_format", "missing", "frequency", "timezone"];
const MOST_OFFERS = 4;

function plural(count, what) {
  return `${number(count)} ${what}${count === 1 ? "" : "s"}`;
}

/** Return a frequency as words: `monthly (M)`, `every 15 minutes (15min)`. */
export function frequencyName(name) {
  if (!name) return "unknown";
  const [, multiple, unit] = /^(\d*)([A-Za-z]+)/.exec(name) ?? [];
  const word = UNITS[unit];
  if (!word) return name;
  return `${multiple ? `every ${multiple} ${word}s` : NAMES[unit]} (${name})`;
}

/** Return what the service reads of one series. */
export function describe(series) {
  const { frequency, season_length: season } = series;
  const repairs = Object.entries(series.repair_counts).map(([code, count]) => (REPAIRS[code] ?? (() => `${code}: ${count}`))(count));
  const details = series.repairs.filter((one) => one.detail).map((one) => one.detail);
  return [
    facts([
      ["Frequency", frequency ? frequencyName(frequency) : "unknown: the values have no dates"],
      ["Season", season > 1 ? `${season} steps${SEASONS[season] ? `, ${SEASONS[season]}` : ""}` : null],
      ["From", series.start],
      ["To", series.end],
      ["Points", number(series.points)],
      ["Gaps", series.gaps ? number(series.gaps) : "none"],
      ["Repairs", repairs.length ? el("ul", {}, [...repairs, ...details].map((one) => el("li", {}, one))) : "none"],
    ]),
    notes(series.warnings),
  ];
}

/** Return warnings with their remedies as a list. */
export function notes(found) {
  if (!found?.length) return null;
  return el("ul", { class: "notes" }, found.map((one) =>
    el("li", {}, el("span", {}, words(one.detail)), one.hint ? el("span", { class: "muted" }, " ", words(one.hint)) : null)));
}

/** Return the errors of series that cannot be forecast, with their ids if there are several series. */
export function errors(found, areSeveral) {
  if (!found?.length) return null;
  return el("div", { class: "notice bad", role: "alert" }, found.slice(0, 5).map((one) =>
    el("p", {}, areSeveral && one.id ? [el("bdi", {}, one.id), ": "] : null, el("strong", {}, words(one.detail)), one.hint ? el("span", { class: "hint" }, " ", words(one.hint)) : null)),
  found.length > 5 ? el("p", {}, `${found.length - 5} more series have errors.`) : null);
}

/** Return a button for each parameter that hints name with a value, as in `?decimal=,`; `apply` gets its name and value. */
export function offers(found, apply) {
  const hints = found.map((one) => one?.hint ?? "").join(" ");
  const pairs = [...hints.matchAll(/`\?(\w+)=([^`&]+)`/g)].filter(([, name]) => PARAMETERS.includes(name));
  const named = new Map(pairs.map(([, name, value]) => [`${name}=${decoded(value)}`, [name, decoded(value)]]));
  if (!named.size) return null;
  return el("div", { class: "row" }, [...named].slice(0, MOST_OFFERS).map(([text, pair]) =>
    el("button", { type: "button", onclick: () => apply(...pair) }, `Apply ${text}`)));
}
