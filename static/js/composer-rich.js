// Styled text: Squire over the plain text area, loaded when it is first wanted.  The text area stays the base.
const words = document.getElementById("words").dataset;

export class Rich {
  constructor(form, changed) {
    this.form = form;
    this.changed = changed;
    this.text = form.elements.text;
    this.html = form.elements.html;
    this.toggle = form.querySelector("[data-do=format]");
    this.toggle.addEventListener("click", () => this.switch().then(() => this.changed()));
    form.addEventListener("click", (event) => this.#style(event.target.closest("[data-style]")?.dataset.style));
  }

  get isOn() {
    return Boolean(this.editor);
  }

  async switch() {
    if (this.isOn) this.#toPlain();
    else await this.#toStyled(this.html.value.trim() || paragraphs(this.text.value));
    this.form.elements.format.value = this.isOn ? "html" : "text";
    this.html.disabled = !this.isOn;
    this.text.hidden = this.isOn;
    this.toggle.textContent = this.isOn ? words.plain : words.rich;
    for (const button of this.form.querySelectorAll("[data-style]")) button.hidden = !this.isOn;
  }

  async #toStyled(html) {
    const [{ default: Squire }, { default: DOMPurify }] = await Promise.all([
      import("../vendor/squire.js"),
      import("../vendor/dompurify.js"),
    ]);
    const area = document.createElement("div");
    area.className = "composer-text composer-styled";
    area.setAttribute("role", "textbox");
    area.setAttribute("aria-multiline", "true");
    area.setAttribute("aria-label", this.text.labels[0].textContent);
    this.text.after(area);
    this.editor = new Squire(area, {
      blockTag: "P",
      sanitizeToDOMFragment: (pasted) => document.importNode(clean(DOMPurify, pasted), true),
    });
    this.area = area;
    this.editor.setHTML(html);
    this.editor.addEventListener("input", () => this.changed());
    this.editor.focus();
  }

  #toPlain() {
    this.text.value = this.area.innerText.replaceAll(/\n{3,}/g, "\n\n");
    this.html.value = "";
    this.editor.destroy();
    this.area.remove();
    this.editor = undefined;
  }

  // Put what stands in the editor into the form.
  write() {
    if (this.isOn) this.html.value = this.editor.getHTML();
  }

  #style(name) {
    if (!this.isOn || !name) return;
    const editor = this.editor;
    const deeds = {
      bold: () => (editor.hasFormat("B") ? editor.removeBold() : editor.bold()),
      italic: () => (editor.hasFormat("I") ? editor.removeItalic() : editor.italic()),
      list: () => (editor.hasFormat("UL") ? editor.removeList() : editor.makeUnorderedList()),
      quote: () => editor.increaseQuoteLevel(),
      link: () => this.#link(),
    };
    deeds[name]?.();
    editor.focus();
  }

  #link() {
    const address = prompt(words.link, "https://");
    if (address && /^(https?:\/\/|mailto:)./i.test(address)) this.editor.makeLink(address);
  }
}

function clean(purifier, html) {
  return purifier.sanitize(html, { RETURN_DOM_FRAGMENT: true, FORBID_TAGS: ["style", "form", "input"], FORBID_ATTR: ["class", "id"] });
}

function paragraphs(text) {
  const holder = document.createElement("div");
  for (const block of text.replaceAll("\r\n", "\n").split("\n\n")) {
    const paragraph = document.createElement("p");
    block.split("\n").forEach((line, number) => paragraph.append(...(number ? [document.createElement("br")] : []), line));
    holder.append(paragraph);
  }
  return holder.innerHTML;
}
