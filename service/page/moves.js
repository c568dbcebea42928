// Moves: promotes a version of a model or rolls it back, with a reason, after a question.

import { ask, at, post } from "./api.js";
import { announce, el, failure, fill } from "./dom.js";

const LONGEST_REASON = 500;
const TRIES = 20;
const TRY_MS = 500;

let lastMade = 0;

/** Return what promotes and rolls back a model; `refresh` draws the models anew, with what was done. */
export function moves(model, refresh) {
  const id = `move-${(lastMade += 1)}`;
  const now = model.aliases.champion;
  const others = model.versions.filter((version) => version !== now).reverse();
  const { previous } = model.aliases;
  const version = el("select", { id: `${id}-version` }, others.map((one) => el("option", { value: one }, `version ${one}`)));
  const reason = el("input", { id: `${id}-reason`, type: "text", required: "", maxlength: LONGEST_REASON, autocomplete: "off", placeholder: "Calmer in July.", oninput: enable });
  const answer = el("div", { "aria-live": "polite" });
  const promotion = el("button", { type: "button", disabled: true, onclick: promote }, "Promote");
  const rollback = el("button", { type: "button", disabled: true, onclick: rollBack }, `Roll back to version ${previous}`);

  function enable() {
    const given = reason.value.trim() !== "";
    promotion.disabled = !given;
    rollback.disabled = !given;
  }

  function promote() {
    confirm(`Make version ${version.value} of ${model.name} the champion?`, "Promote", "champion", { version: version.value, reason: reason.value.trim() });
  }

  function rollBack() {
    confirm(`Go back to version ${previous} of ${model.name}?`, "Roll back", "rollback", { version: now, reason: reason.value.trim() });
  }

  function confirm(question, word, move, body) {
    const yes = el("button", { type: "button", class: "primary", onclick: () => send(move, body) }, word);
    fill(answer, el("div", { class: "notice", role: "group", "aria-label": question }, el("p", {}, question),
      el("div", { class: "row" }, yes, el("button", { type: "button", class: "quiet", onclick: () => { fill(answer); reason.focus(); } }, "Cancel"))));
    yes.focus();
  }

  async function send(move, body) {
    fill(answer, el("p", { class: "muted" }, "The registry is asked …"));
    try {
      const found = await post(at("models", model.name, move), body);
      const text = `Version ${found.champion} of ${model.name} is champion${found.changed ? "" : " already"}.`;
      fill(answer, el("p", {}, `${text} The service loads it …`));
      const isServed = await loaded(model.name, found.champion);
      const done = `${text} ${isServed ? "It answers now." : "The service has not loaded it yet."}`;
      await refresh(done);
      announce(done);
    } catch (error) {
      fill(answer, failure(error));
    }
  }

  return el("details", { class: "moves" }, el("summary", {}, "Promote or roll back"),
    el("div", { class: "row" }, el("label", { for: `${id}-reason` }, "Reason"), reason),
    others.length ? el("div", { class: "row" }, el("label", { for: `${id}-version` }, "Version"), version, promotion) : el("p", { class: "muted" }, "There is no other version to promote."),
    previous && now ? el("div", { class: "row" }, rollback) : null,
    answer);
}

/** Return whether the service answers with a version, as soon as it does, at the latest after ten seconds. */
async function loaded(name, version) {
  for (let tries = 0; tries < TRIES; tries += 1) {
    const found = (await ask("models")).models.find((one) => one.source === "registry" && one.name === name);
    if (found?.champion === version) return true;
    await new Promise((resolve) => setTimeout(resolve, TRY_MS));
  }
  return false;
}
