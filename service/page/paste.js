// Paste: what a person pastes or drops, as a body that POST /validate reads.

import { Problem } from "./api.js";

const CSV = "text/csv";
const PARQUET = "application/vnd.apache.parquet";
const JSON_TYPE = "application/json";
const NUMBER = /^[-+]?(\d[\d.,'\u00a0\u202f ]*|[.,]\d+)(e[-+]?\d+)?\s*%?$/i;
const WITH_UNIT = /^([-+]?)([^\d\s.,;+\-()"'[\]{}]{0,5})\s*([-+]?(?:\d|\.\d)[\d.,'\u00a0\u202f ]*?(?:e[-+]?\d+)?)\s*([^\d\s.,;+\-()"'[\]{}]{0,5})$/iu;
const DATE = /\d[-/.:]\d|\d[-\s]?Q\d|Q\d[-/\s]\d|\p{L}{3,}\.?[-\s]\d{2,4}/iu;
const HEAD_BYTES = 4096;
const GAP = /^(|na|n\/a|nan|null|none|-|–)$/i;

/** Return pasted text as {body, type, added}, or null for blank text; `added` rows are above its first one. Raises Problem. */
export function fromText(text) {
  const trimmed = text.trim();
  if (!trimmed) return null;
  if (/^[[{]/.test(trimmed)) return fromJson(trimmed);
  const lines = text.replace(/\r\n?/g, "\n").replace(/^\n+|\n+$/g, "").split("\n");
  if (lines.length === 1) return oneLine(lines[0].trim());
  return { ...(oneColumn(lines) ?? cells(lines)), type: CSV };
}

/** Return JSON or JSON lines as {body, type}: rows as CSV; values, series or a whole request as JSON; raises Problem. */
function fromJson(text) {
  const data = parsed(text) ?? parsedLines(text);
  if (data === null) return { body: text, type: JSON_TYPE }; // the service says what is wrong, and where
  return areRows(data) ? { body: csv(data), type: CSV } : { body: JSON.stringify(request(data)), type: JSON_TYPE };
}

/** Return the data of JSON, null if it is none. */
function parsed(text) {
  try {
    return JSON.parse(text.replace(/"(?:[^"\\]|\\.)*"|\bNaN\b/g, (part) => (part === "NaN" ? "null" : part)), finite);
  } catch (error) {
    if (error instanceof Problem) throw error;
    return null;
  }
}

/** Return the data of JSON lines as a list, null if a line is no object. */
function parsedLines(text) {
  const found = text.split("\n").filter((line) => line.trim()).map((line) => (line.trim().startsWith("{") ? parsed(line) : null));
  return found.includes(null) ? null : found;
}

/** Return whether data is a list of rows, as `[{"ds": "2024-01", "y": 5}]`: objects of text and numbers that have no `values`. */
function areRows(data) {
  const isRow = (one) => one !== null && typeof one === "object" && !Array.isArray(one) && !("values" in one) && Object.keys(one).length > 1 && Object.values(one).every((cell) => cell === null || typeof cell !== "object");
  return Array.isArray(data) && data.length > 0 && data.every(isRow);
}

function csv(rows) {
  const names = [...new Set(rows.flatMap((row) => Object.keys(row)))];
  const lines = [names, ...rows.map((row) => names.map((name) => String(row[name] ?? "")))];
  return lines.map((line) => line.map((cell) => quoted(cell, ",")).join(",")).join("\n");
}

/** Return a value of JSON; raises Problem for a number that only infinity could stand for. */
function finite(name, value) {
  if (typeof value !== "number" || Math.abs(value) !== Infinity) return value;
  const which = /^\d+$/.test(name) ? `Value ${Number(name) + 1}` : `'${name}'`;
  throw new Problem({ detail: `${which} is too large: the largest number is about 1.8e308.`, hint: "Send null for a gap." });
}

function request(data) {
  if (!Array.isArray(data)) return "series" in data ? { ...data, series: named(data.series) } : { series: named([data]) };
  if (data.length && Array.isArray(data[0])) return { series: named(data.map((values) => ({ values }))) };
  return { series: named(data.length && typeof data[0] === "object" && data[0] !== null ? data : [{ values: data }]) };
}

/** Return series with a name for each that has none. */
function named(all) {
  if (!Array.isArray(all)) return all;
  const isNameless = (one) => one !== null && typeof one === "object" && !Array.isArray(one) && !("id" in one);
  return all.map((one, at) => (isNameless(one) ? { id: all.length > 1 ? `series ${at + 1}` : "values", ...one } : one));
}

/** Numbers on one line, separated by anything that cannot be part of a number. */
function oneLine(line) {
  const sign = ["\t", ";", ", ", ",", " "].find((one) => line.includes(one));
  const parts = (sign ? line.split(sign) : [line]).map((part) => part.trim()).filter(Boolean);
  const values = numbers(parts);
  if (!values && parts.length > 1 && isNumeric(parts[0])) throw unlike("Value", parts);
  return { body: values ? column("values", values) : line, type: CSV };
}

/** Return the problem of the first cell that is no number, or has another unit than the others. */
function unlike(what, cells) {
  const at = Math.max(0, cells.findIndex((cell) => !NUMBER.test(cell) && !GAP.test(cell)));
  return new Problem({ detail: `${what} ${at + 1}: '${cells[at]}' is not a number like the others.`, hint: "Give all the same unit, or none, and a minus sign for a number below zero." });
}

/** Return cells without the unit that all of them share; null if they are not numbers and gaps. */
function numbers(cells) {
  const isPlain = (cell) => NUMBER.test(cell) || GAP.test(cell);
  if (cells.every(isPlain)) return cells;
  const read = cells.map((cell) => (GAP.test(cell) ? null : WITH_UNIT.exec(cell)));
  const first = read.find(Boolean);
  const isShared = read.every((found, at) => (found ? found[2] === first[2] && found[4] === first[4] : GAP.test(cells[at])));
  const bare = read.map((found) => (found ? found[1] + found[3] : ""));
  return first && isShared && bare.every(isPlain) ? bare : null;
}

/** Return whether a cell is a number, with or without a unit or brackets: such a row is no header. */
function isNumeric(cell) {
  return NUMBER.test(cell) || WITH_UNIT.test(cell.replace(/^\((.*)\)$/, "$1"));
}

/** Return lines of one value each as {body, added}, null if they are rows of cells; raises Problem for a first value that cannot be read. */
function oneColumn(lines) {
  const trimmed = lines.map((line) => line.trim());
  if (/[\t;]/.test(trimmed[0])) return null;
  const isData = isNumeric(trimmed[0]) || GAP.test(trimmed[0]);
  const body = isData ? trimmed : trimmed.slice(1);
  const values = numbers(body);
  if (values) return { body: column(isData ? "values" : trimmed[0], values), added: Number(isData) };
  if (!isData || isDated(trimmed)) return null;
  throw unlike("Row", body);
}

/** Return one column as CSV: quoted, so that a decimal comma separates no cells. */
function column(name, values) {
  return [name, ...values.map((value) => (GAP.test(value) ? "" : value))].map((cell) => quoted(cell, "")).join("\n");
}

/** Return rows of cells as {body, added}, without shared units; a first row of data gets a header. */
function cells(lines) {
  const sign = ["\t", ";", ","].find((one) => lines[0].includes(one));
  if (sign === undefined) return isDated(lines) ? cells(lines.map((line) => line.trim().replace(/\s+(?=\S+$)/, "\t"))) : { body: lines.join("\n") };
  const first = split(lines[0], sign);
  const last = first.at(-1);
  const isData = isNumeric(last) ? /\d/.test(first[0]) || first.some((cell) => DATE.test(cell)) : DATE.test(first[0]) && GAP.test(last);
  const body = withoutUnits(isData ? lines : lines.slice(1), sign);
  return { body: [isData ? names(first).join(sign) : lines[0], ...body].join("\n"), added: Number(isData) };
}

function names(first) {
  if (first.length === 2) return ["date", "values"];
  if (first.length === 3 && DATE.test(first[1])) return ["id", "date", "values"];
  return ["date", ...first.slice(1).map((_, at) => `column ${at + 1}`)];
}

/** Return whether each line but a header is a date, a blank and a number. */
function isDated(lines) {
  const pairs = lines.map((line) => /^(.*\S)\s+(\S+)$/.exec(line.trim()));
  const isPair = (pair) => pair !== null && DATE.test(pair[1]) && (isNumeric(pair[2]) || GAP.test(pair[2]));
  return pairs[0] !== null && (isPair(pairs[0]) || (pairs.length > 1 && !/\d/.test(lines[0]))) && pairs.slice(1).every(isPair);
}

/** Return rows without the unit that all cells of a column share. */
function withoutUnits(lines, sign) {
  const rows = lines.map((line) => split(line, sign));
  let isChanged = false;
  for (let at = 1; at < (rows[0]?.length ?? 0); at += 1) {
    const found = rows.map((row) => row[at] ?? "");
    const bare = numbers(found);
    if (!bare || bare === found) continue;
    isChanged = true;
    rows.forEach((row, place) => at < row.length && (row[at] = bare[place]));
  }
  return isChanged ? rows.map((row) => row.map((cell) => quoted(cell, sign)).join(sign)) : lines;
}

/** Return the cells of a line; a sign between quotes separates none. */
function split(line, sign) {
  if (!line.includes('"')) return line.split(sign).map((cell) => cell.trim());
  const found = [""];
  let isQuoted = false;
  for (const one of line) {
    if (one === '"') isQuoted = !isQuoted;
    if (one === sign && !isQuoted) found.push("");
    else found[found.length - 1] += one;
  }
  return found.map((cell) => cell.trim().replace(/^"(.*)"$/, "$1").replace(/""/g, '"'));
}

/** Return a cell in quotes where it needs them; always with "" as the sign. */
function quoted(cell, sign) {
  return cell.includes(sign) || /["\r\n]/.test(cell) ? `"${cell.replace(/"/g, '""')}"` : cell;
}

/** Return a file as {body, type}: Parquet by its first bytes, JSON by its first character, else CSV; raises Problem. */
export async function fromFile(file) {
  const bytes = new Uint8Array(await file.slice(0, HEAD_BYTES).arrayBuffer());
  const head = String.fromCharCode(...bytes.slice(0, 4));
  if (head === "PAR1") return { body: file, type: PARQUET };
  refuseOthers(file.name, head, bytes);
  const isJson = /\.(json|jsonl|ndjson)$/i.test(file.name) || file.type === JSON_TYPE;
  if (isJson || /^\s*(\{|\[\s*\{)/.test(new TextDecoder().decode(bytes))) return fromJson((await file.text()).trim());
  return { body: file, type: CSV };
}

/** Raise Problem for a file that is no table: a workbook, an archive, or other bytes than text. */
function refuseOthers(name, head, bytes) {
  const isWorkbook = head === "\xD0\xCF\x11\xE0" || /\.(xlsx?|xlsm|ods)$/i.test(name);
  if (isWorkbook) throw new Problem({ detail: `${name} is a workbook of a spreadsheet, which is not read here.`, hint: "Copy its cells and paste them, or save the sheet as CSV." });
  if (head.startsWith("PK\x03\x04") || head.startsWith("\x1F\x8B")) throw new Problem({ detail: `${name} is a packed file.`, hint: "Unpack it, and drop the CSV, Parquet or JSON file that is in it." });
  const isWide = head.startsWith("\xFF\xFE") || head.startsWith("\xFE\xFF"); // UTF-16, which has zeros
  if (!isWide && bytes.includes(0)) throw new Problem({ detail: `${name} is neither text nor Parquet.`, hint: "Drop a CSV, Parquet or JSON file." });
}

/** Return a text of the service about rows with the numbers that the pasted rows have; quoted text stays. */
export function renumber(text, added) {
  const shift = (places) => places.replace(/\d+/g, (place) => place - added);
  return text?.replace(/(?<!\w)'[^']*'|\b(?:rows?|line) \d+(?:(?:, | and )\d+\b(?! more))*/gi, (part) => (part.startsWith("'") ? part : shift(part)));
}
