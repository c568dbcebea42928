// Paste: what a person pastes or drops, as a body that POST /validate reads.

const CSV = "text/csv";
const PARQUET = "application/vnd.apache.parquet";
const JSON_TYPE = "application/json";
const NUMBER = /^[-+]?(\d[\d.,'\u00a0\u202f ]*|[.,]\d+)(e[-+]?\d+)?\s*%?$/i;
const GAP = /^(|na|n\/a|nan|null|none|-|–)$/i;

/** Return pasted text as {body, type}, or null for blank text. */
export function fromText(text) {
  const trimmed = text.trim();
  if (!trimmed) return null;
  if (/^[[{]/.test(trimmed)) return { body: wrap(trimmed), type: JSON_TYPE };
  const lines = text.replace(/\r\n?/g, "\n").replace(/^\n+|\n+$/g, "").split("\n");
  if (lines.length === 1) return oneLine(lines[0].trim());
  return { body: isColumn(lines) ? column(lines) : cells(lines), type: CSV };
}

/** Return JSON as the body of a request: a list of values, a list of series, one series, or a whole request. */
function wrap(text) {
  let data;
  try {
    data = JSON.parse(text.replace(/\bNaN\b/g, "null"));
  } catch {
    return text.startsWith("[") ? `{"series":[{"values":${text}}]}` : text; // the service says what is wrong
  }
  return JSON.stringify(request(data));
}

function request(data) {
  if (!Array.isArray(data)) return "series" in data ? data : { series: [data] };
  if (data.length && Array.isArray(data[0])) return { series: data.map((values) => ({ values })) };
  return { series: data.length && typeof data[0] === "object" && data[0] !== null ? data : [{ values: data }] };
}

/** Numbers on one line, separated by anything that cannot be part of a number. */
function oneLine(line) {
  const sign = ["\t", ";", ", ", ",", " "].find((one) => line.includes(one));
  const parts = (sign ? line.split(sign) : [line]).map((part) => part.trim()).filter(Boolean);
  if (!parts.every((part) => NUMBER.test(part) || GAP.test(part))) return { body: line, type: CSV };
  return { body: column(parts), type: CSV };
}

/** Return whether each line is a number or a gap, but for a header. */
function isColumn(lines) {
  const [first, ...rest] = lines.map((line) => line.trim());
  const body = rest.length ? rest : [first];
  return !/[\t;]/.test(first) && body.every((line) => NUMBER.test(line) || GAP.test(line));
}

/** Return one column as CSV: quoted, so that a decimal comma separates no cells; with a header if it has none. */
function column(lines) {
  const trimmed = lines.map((line) => line.trim());
  const header = NUMBER.test(trimmed[0]) || GAP.test(trimmed[0]) ? ["values"] : [];
  return [...header, ...trimmed].map((line) => `"${(GAP.test(line) ? "" : line).replace(/"/g, '""')}"`).join("\n");
}

/** Return rows of cells as CSV; a first row of data gets a header. */
function cells(lines) {
  const sign = ["\t", ";", ","].find((one) => lines[0].includes(one));
  const first = sign ? lines[0].split(sign) : [lines[0]];
  const isData = sign !== undefined && NUMBER.test(first.at(-1).trim()) && /\d/.test(first[0]);
  if (!isData) return lines.join("\n");
  const names = first.length === 2 ? ["date", "values"] : ["date", ...first.slice(1).map((_, at) => `column ${at + 1}`)];
  return [names.join(sign), ...lines].join("\n");
}

/** Return a file as {body, type}: Parquet by its first bytes, JSON by its first character, else CSV. */
export async function fromFile(file) {
  const head = new Uint8Array(await file.slice(0, 4).arrayBuffer());
  if (String.fromCharCode(...head) === "PAR1") return { body: file, type: PARQUET };
  if (/\.json$/i.test(file.name) || file.type === JSON_TYPE) {
    const text = (await file.text()).trim();
    return { body: wrap(text), type: JSON_TYPE };
  }
  return { body: file, type: CSV };
}
