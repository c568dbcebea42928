// Picker: the models that forecast: the starter, each champion, any version.

import { ask } from "./api.js";
import { el, failure, fill } from "./dom.js";

export class ModelPicker {
  constructor(changed) {
    this.changed = changed;
    this.isTouched = false;
    this.models = [];
    this.list = el("div", { class: "choices" });
    this.element = el("fieldset", {}, el("legend", {}, "Models"), this.list);
  }

  async load() {
    try {
      const answer = await ask("models");
      this.models = answer.models;
      this.preferred = answer.default ?? "starter";
      const { preferred } = this;
      fill(this.list, answer.models.filter((one) => one.champion || one.versions.length).map((one) => this.group(one, preferred)));
      if (!this.chosen().length) this.list.querySelector("input")?.click();
    } catch (error) {
      fill(this.list, failure(error));
    }
  }

  group(model, preferred) {
    const isStarter = model.source === "package";
    const versions = isStarter ? [] : [...model.versions].reverse();
    const named = Object.entries(model.aliases);
    return el("div", { class: "choice" },
      isStarter ? this.box(model.name, model.name, "pretrained, any series", preferred)
        : model.champion ? this.box(model.name, model.name, `champion, version ${model.champion}`, preferred) : el("span", {}, model.name),
      versions.length ? el("details", {}, el("summary", {}, versions.length === 1 ? "1 version" : `${versions.length} versions`),
        versions.map((version) => this.box(`${model.name}/${version}`, `version ${version}`,
          named.filter(([, number]) => number === version).map(([alias]) => alias).join(", "), preferred))) : null);
  }

  box(value, name, text, preferred) {
    const box = el("input", { type: "checkbox", name: "model", value, checked: value === preferred, onchange: () => this.touch() });
    return el("label", { class: "check" }, box, el("span", {}, name), text ? el("span", { class: "muted" }, text) : null);
  }

  touch() {
    this.isTouched = true;
    this.changed();
  }

  /** Choose a model that reads a frequency, until a person has chosen one: the default, another champion, or the starter. */
  suit(frequency) {
    if (this.isTouched) return;
    const fits = (name) => !frequency || this.models.find((one) => one.name === name.split(/[/@]/)[0])?.frequencies.includes(frequency);
    const other = this.models.find((one) => one.source === "registry" && one.champion && fits(one.name))?.name;
    const wanted = fits(this.preferred) || this.preferred === "starter" ? this.preferred : other ?? "starter";
    const boxes = [...this.list.querySelectorAll("input")];
    if (boxes.some((box) => box.value === wanted)) for (const box of boxes) box.checked = box.value === wanted;
  }

  /** Return the chosen models, as `model` of a request names them. */
  chosen() {
    return [...this.list.querySelectorAll("input:checked")].map((box) => box.value);
  }
}
