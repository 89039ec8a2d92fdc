// Recipients completed while they are typed: an ARIA combobox around a plain field that holds several addresses.
const PAUSE_MS = 80;
const SHORTEST = 1;

// Where the recipient under the caret begins: after the last comma, semicolon or line end outside quotes and brackets.
function start(text) {
  let begin = 0;
  let closer = "";
  for (let place = 0; place < text.length; place += 1) {
    const char = text[place];
    if (closer) closer = char === closer ? "" : closer;
    else if (char === '"') closer = '"';
    else if (char === "<") closer = ">";
    else if (char === "," || char === ";") begin = place + 1;
  }
  return begin;
}

export class Completion {
  constructor(field, url) {
    Object.assign(this, { field, url, hits: [], active: -1, moved: false });
    this.list = document.createElement("ul");
    this.list.id = `${field.id}-people`;
    this.list.className = "completion";
    this.list.hidden = true;
    this.list.setAttribute("role", "listbox");
    this.list.setAttribute("aria-label", field.form.dataset.peopleName);
    field.after(this.list);
    const roles = { role: "combobox", "aria-autocomplete": "list", "aria-expanded": "false", "aria-controls": this.list.id };
    for (const [name, value] of Object.entries(roles)) field.setAttribute(name, value);
    field.addEventListener("input", (event) => event.isTrusted && this.#ask());
    field.addEventListener("keydown", (event) => this.#key(event));
    field.addEventListener("blur", () => this.close());
    this.list.addEventListener("pointerdown", (event) => this.#point(event));
  }

  #typed() {
    const before = this.field.value.slice(0, this.field.selectionStart);
    const begin = start(before);
    return { begin, text: before.slice(begin).trim() };
  }

  #ask() {
    clearTimeout(this.timer);
    this.asking?.abort();
    const { text } = this.#typed();
    if (text.length < SHORTEST) this.close();
    else this.timer = setTimeout(() => this.#fetch(text), PAUSE_MS);
  }

  async #fetch(text) {
    this.asking = new AbortController();
    try {
      const headers = { Accept: "application/json" };
      const response = await fetch(`${this.url}?${new URLSearchParams({ q: text })}`, { headers, signal: this.asking.signal });
      const told = response.ok && !response.redirected ? await response.json() : { hits: [] };
      if (document.activeElement === this.field && this.#typed().text === text) this.#show(told.hits);
    } catch {
      this.close(); // the field is plain again: nobody waits for suggestions
    }
  }

  #show(hits) {
    this.hits = hits;
    this.moved = false;
    this.list.replaceChildren(...hits.map((hit, number) => this.#option(hit, number)));
    this.list.hidden = hits.length === 0;
    this.field.setAttribute("aria-expanded", String(hits.length > 0));
    this.#mark(hits.length > 0 ? 0 : -1);
  }

  #option(hit, number) {
    const option = document.createElement("li");
    option.id = `${this.list.id}-${number}`;
    option.setAttribute("role", "option");
    const name = document.createElement("span");
    name.textContent = hit.name || hit.address;
    option.append(name);
    if (hit.name) {
      const address = document.createElement("small");
      address.textContent = hit.address;
      option.append(" ", address);
    }
    return option;
  }

  #mark(number) {
    this.active = number;
    for (const [place, option] of [...this.list.children].entries()) option.setAttribute("aria-selected", String(place === number));
    if (number < 0) this.field.removeAttribute("aria-activedescendant");
    else this.field.setAttribute("aria-activedescendant", this.list.children[number].id);
    this.list.children[number]?.scrollIntoView({ block: "nearest" });
  }

  close() {
    clearTimeout(this.timer);
    this.asking?.abort();
    this.#show([]);
  }

  #key(event) {
    if (event.isComposing || this.list.hidden) return;
    const step = { ArrowDown: 1, ArrowUp: -1 }[event.key];
    if (step) {
      event.preventDefault();
      this.#mark((this.active + step + this.hits.length) % this.hits.length);
      this.moved = true;
    } else if (event.key === "Escape") {
      event.preventDefault(); // of the composer, which would close
      this.close();
    } else if (["Enter", "Tab", ","].includes(event.key) && !event.shiftKey && !event.ctrlKey && !event.metaKey) {
      this.#accept(event);
    }
  }

  // An address typed as a whole is meant as it stands, unless somebody was chosen by an arrow key.
  #accept(event) {
    const isWhole = /@[^@\s]+\.[^@\s]+$/.test(this.#typed().text);
    if (isWhole && !this.moved) {
      this.close();
      if (event.key === "Enter") event.preventDefault();
      return;
    }
    if (event.key !== "Tab") event.preventDefault();
    this.#take(this.active);
  }

  #point(event) {
    const option = event.target.closest("[role=option]");
    event.preventDefault(); // the field keeps the focus
    if (option && event.button === 0) this.#take([...this.list.children].indexOf(option));
  }

  #take(number) {
    const { begin } = this.#typed();
    const { field } = this;
    const rest = field.value.slice(field.selectionStart).replace(/^\s*,?\s*/, "");
    const before = `${field.value.slice(0, begin)}${begin ? " " : ""}${this.hits[number].text}, `;
    field.value = before + rest;
    field.setSelectionRange(before.length, before.length);
    this.close();
    field.dispatchEvent(new Event("input", { bubbles: true }));
  }
}
