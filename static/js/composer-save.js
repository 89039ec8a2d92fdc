// Saving by itself: two seconds after a pause, one request at a time, and nothing lost when the session has ended.
const PAUSE_MS = 1500;
const AGAIN_MS = 10000;

// Saves `form` to its own address.  `values()` gives the FormData; `note` shows what a person must know.
export class Saver {
  constructor(form, { values, note, saved, onTold }) {
    Object.assign(this, { form, values, note, saved, onTold });
    this.words = document.getElementById("words").dataset;
    this.token = form.elements.csrf_token;
    this.dirty = false;
    this.running = Promise.resolve(true);
    form.addEventListener("input", () => this.touch());
    addEventListener("beforeunload", (event) => this.dirty && event.preventDefault());
  }

  touch() {
    this.dirty = true;
    this.saved.textContent = this.words.unsaved;
    this.wait(PAUSE_MS);
  }

  wait(milliseconds) {
    clearTimeout(this.timer);
    this.timer = setTimeout(() => this.save(), milliseconds);
  }

  // Requests follow each other: each carries the version the one before was told.  Resolves to whether all is saved.
  save(extra = {}) {
    clearTimeout(this.timer);
    this.running = this.running.then(() => this.#put(extra));
    return this.running;
  }

  async #put(extra, mayRepeat = true) {
    const body = this.values();
    for (const [name, value] of Object.entries(extra)) body.set(name, value);
    this.dirty = false;
    this.saved.textContent = this.words.saving;
    let response;
    try {
      response = await fetch(this.form.action, { method: "PUT", body, redirect: "manual", headers: this.headers() });
    } catch {
      return this.#failed(this.words.offline);
    }
    if (response.type === "opaqueredirect" || response.status === 401) return this.#failed(this.words.signedOut);
    const told = await response.json().catch(() => ({}));
    if (told.token && mayRepeat) {
      this.token.value = told.token;
      return this.#put(extra, false);
    }
    if (told.conflict) return this.#stopped(told.handed_over ? this.words.handedOver : this.words.conflict);
    if (!response.ok) return this.#failed(this.words.unsaved);
    this.told(told);
    return true;
  }

  headers() {
    return { Accept: "application/json", "X-CSRFToken": this.token.value };
  }

  told(told) {
    this.form.elements.version.value = told.version;
    this.saved.textContent = this.dirty ? this.words.unsaved : told.saved;
    this.say("");
    if (told.url && location.pathname !== told.url) history.replaceState(null, "", told.url + this.#back());
    this.onTold(told);
  }

  #back() {
    return `?${new URLSearchParams({ back: this.form.elements.back.value })}`;
  }

  // The text stays in the page, and another try follows.
  #failed(words) {
    this.dirty = true;
    this.saved.textContent = this.words.unsaved;
    this.say(words);
    this.wait(AGAIN_MS);
    return false;
  }

  #stopped(words) {
    this.dirty = false;
    this.saved.textContent = "";
    this.say(words);
    return false;
  }

  say(words) {
    this.note.className = words ? "callout warn" : "";
    this.note.textContent = words;
  }
}
