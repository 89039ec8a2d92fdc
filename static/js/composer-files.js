// Attachments: chosen or dropped files go up at once, with their progress; the list follows what the server tells.
const words = document.getElementById("words").dataset;
const SPRITE = document.querySelector("use")?.getAttribute("href").split("#")[0];

export class Files {
  constructor(form, saver) {
    this.form = form;
    this.saver = saver;
    this.list = form.querySelector("#files");
    this.pick = form.querySelector("#pick");
    this.busy = 0;
    this.running = Promise.resolve();
    this.pick.addEventListener("change", () => this.add([...this.pick.files]));
    form.addEventListener("dragover", (event) => hasFiles(event) && event.preventDefault());
    form.addEventListener("drop", (event) => this.#dropped(event));
    this.list.addEventListener("click", (event) => this.#clicked(event));
  }

  #dropped(event) {
    if (!hasFiles(event)) return;
    event.preventDefault();
    this.add([...event.dataTransfer.files]);
  }

  // One after the other; `running` is done when all are up.
  add(files) {
    this.pick.value = "";
    this.running = this.running.then(() => this.#addAll(files));
    return this.running;
  }

  // The draft must exist before anything is attached to it.
  async #addAll(files) {
    if (!files.length || !(await this.saver.save())) return;
    for (const file of files) await this.#upload(file);
  }

  #upload(file) {
    const row = this.#waiting(file.name);
    const request = new XMLHttpRequest();
    const body = new FormData();
    body.append("files", file);
    this.busy += 1;
    return new Promise((resolve) => {
      request.upload.addEventListener("progress", (event) => {
        if (event.lengthComputable) row.querySelector("progress").value = event.loaded / event.total;
      });
      request.addEventListener("loadend", () => {
        this.busy -= 1;
        row.remove();
        this.#answered(request);
        resolve();
      });
      row.querySelector("button").addEventListener("click", () => request.abort());
      request.open("POST", this.form.dataset.upload);
      for (const [name, value] of Object.entries(this.saver.headers())) request.setRequestHeader(name, value);
      request.responseType = "json";
      request.send(body);
    });
  }

  #answered(request) {
    const told = request.response;
    if (told?.files) this.show(told.files);
    const error = told?.errors?.files ?? (request.status === 0 || told?.files ? "" : words.offline);
    this.saver.say(error);
  }

  #waiting(name) {
    const row = entry(name);
    const size = document.createElement("small");
    const bar = document.createElement("progress");
    bar.max = 1;
    bar.value = 0;
    bar.setAttribute("aria-label", words.uploading.replace("%", name));
    size.append(bar);
    row.append(label(name), size, removeButton(name));
    this.list.append(row);
    return row;
  }

  // What the server holds now; ticked attachments of an original have become files of the draft.
  show(files) {
    for (const row of this.list.querySelectorAll("[data-file], .attachment:has([name=remove])")) row.remove();
    for (const file of files) {
      const row = entry(file.name);
      row.dataset.file = file.uuid;
      const link = document.createElement("a");
      link.href = file.url;
      link.textContent = file.name;
      const size = document.createElement("small");
      size.textContent = inWords(file.octets);
      row.append(link, size, removeButton(file.name));
      this.list.append(row);
    }
  }

  async #clicked(event) {
    const row = event.target.closest("button")?.closest(".attachment");
    const uuid = row?.dataset.file ?? row?.querySelector("[name=remove]")?.value;
    if (!uuid) return;
    event.preventDefault();
    const response = await fetch(`${this.form.dataset.upload}/${uuid}/remove`, {
      method: "POST",
      headers: this.saver.headers(),
    }).catch(() => null);
    if (response?.ok) this.show((await response.json()).files);
  }
}

function hasFiles(event) {
  return event.dataTransfer?.types.includes("Files");
}

function entry() {
  const row = document.createElement("div");
  row.className = "attachment";
  row.append(icon("file", "icon"));
  return row;
}

function label(name) {
  const shown = document.createElement("span");
  shown.textContent = name;
  return shown;
}

function removeButton(name) {
  const button = document.createElement("button");
  button.type = "button";
  button.className = "btn btn-quiet btn-icon btn-s";
  button.setAttribute("aria-label", words.remove.replace("%", name));
  button.append(icon("x", "icon icon-s"));
  return button;
}

function icon(name, className) {
  const svg = document.createElementNS("http://www.w3.org/2000/svg", "svg");
  svg.setAttribute("class", className);
  svg.setAttribute("aria-hidden", "true");
  const use = document.createElementNS("http://www.w3.org/2000/svg", "use");
  use.setAttribute("href", `${SPRITE}#i-${name}`);
  svg.append(use);
  return svg;
}

function inWords(octets) {
  let size = octets;
  for (const unit of ["B", "KB", "MB"]) {
    if (size < 1000) return `${size >= 10 || unit === "B" ? size.toFixed(0) : size.toFixed(1)} ${unit}`;
    size /= 1000;
  }
  return `${size.toFixed(1)} GB`;
}
