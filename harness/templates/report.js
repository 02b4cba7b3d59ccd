"use strict";
const dialog = document.querySelector("dialog");
const form = document.querySelector(".filters");
const matrix = document.querySelector(".matrix table");
const cells = [...matrix.querySelectorAll("td a")];
const idOf = link => decodeURIComponent(link.getAttribute("href").slice(1));

/** An element with a class, and texts or elements in it. Texts stay texts, whatever is in them. */
function make(name, className, ...children) {
  const element = document.createElement(name);
  if (className) element.className = className;
  element.append(...children.filter(child => child !== null));
  return element;
}

// The records: JSON, compressed, base64; read when the first case is opened.
let records;
function load() {
  records ??= (async () => {
    const bytes = Uint8Array.from(atob(document.getElementById("records").textContent), c => c.charCodeAt(0));
    const stream = new Blob([bytes]).stream().pipeThrough(new DecompressionStream("deflate"));
    const all = JSON.parse(await new Response(stream).text());
    return new Map(all.map(record => [caseOf(record), record]));
  })();
  return records;
}
function caseOf(record) {
  const tools = record.modutils.split(" ")[0];
  return `${record.kernel}::${record.group}::${record.scenario}` + (tools === "modrig" ? "" : `@${tools}`);
}

// One case.
async function show(id) {
  const link = cells.find(cell => idOf(cell) === id);
  if (!link) return;
  let record;
  try {
    record = (await load()).get(id);
  } catch (error) {
    dialog.replaceChildren(top_(link, id), make("p", "body", `This browser cannot read the evidence: ${error}`));
  }
  if (record) dialog.replaceChildren(top_(link, id), evidence(record));
  if (!dialog.open) dialog.showModal();
  dialog.scrollTop = 0;
  dialog.querySelector("[aria-current]").focus();
}

function top_(link, id) {
  const nav = make("nav", "");
  nav.setAttribute("aria-label", "The same scenario elsewhere");
  const heads = matrix.tHead.rows[0].cells;
  for (const cell of link.closest("tr").querySelectorAll("td")) {
    const other = cell.querySelector("a");
    if (!other) continue;
    const chip = make("a", cell.className, heads[cell.cellIndex].textContent.trim().replace(/\s+/g, " "));
    chip.href = other.getAttribute("href");
    if (idOf(other) === id) chip.setAttribute("aria-current", "true");
    nav.append(chip);
  }
  const close = make("button", "", "Close");
  close.type = "button";
  close.onclick = () => dialog.close();
  return make("div", "top", nav, close);
}

function evidence(record) {
  const { kind, why, help, log } = record.verdict;
  const title = make("h2", "", `${record.group}::${record.scenario}`);
  title.id = "case-title";
  const body = make("div", "body", title,
    make("p", "", record.claim, " ", make("span", "source", record.source)),
    make("p", "", make("b", kind, kind), ` on ${record.release ?? record.kernel} in ${record.duration_ms} ms`));
  if (why) body.append(make("pre", `why ${kind}`, why));
  if (help) body.append(make("p", "", `help: ${help}`));
  body.append(command("again", record.rerun));
  if (record.resume) body.append(command("look around in it", record.resume));
  if (record.steps.length) {
    body.append(make("h3", "", "What was done, and what came of it"), make("ol", "steps", ...record.steps.map(step)));
  }
  const hot = record.events.filter(event => event.severity !== "info").map(event => event.lines[0]);
  if (record.events.length) {
    body.append(make("h3", "", "What the log reports"), make("ul", "events", ...record.events.map(eventLine)));
  }
  if (log && !record.log.includes(log.trim())) {
    body.append(make("h3", "", "The kernel's log around it"), logText(log, hot));
  }
  if (record.log.trim()) body.append(make("h3", "", "The kernel's log"), logText(record.log, hot));
  body.append(make("h3", "", "Where and when"), facts(record));
  return body;
}

function facts(record) {
  const pairs = [
    ["kernel", record.release ? `${record.kernel}: ${record.release}` : record.kernel],
    ["machine", record.machine],
    ["module tools", record.modutils],
    ["QEMU", `${record.qemu}, ${record.accel}`],
    ["kept", record.kept],
    ["ended", record.ended.replace("T", " ").replace(/\.\d+Z|Z$/, " UTC")],
  ];
  return make("dl", "", ...pairs.filter(pair => pair[1]).map(
    ([name, value]) => make("div", "", make("dt", "", name), make("dd", "", value))));
}

function step(step) {
  const times = step.times > 1 ? ` \u00d7 ${step.times}` : "";
  const line = make("div", "step",
    make("div", "", make("code", "", step.action), step.result ? make("span", "result", ` \u2192 ${step.result}`) : null, times),
    make("span", "ms", step.kind === "gap" ? "" : `${step.took_ms} ms`));
  return make("li", step.kind, line,
    step.output ? make("pre", "", step.output) : null,
    step.error ? make("pre", "error", step.error) : null);
}

function eventLine(event) {
  const { standing } = event;
  const told = typeof standing === "string" ? standing : `allowed: ${standing.allowed}`;
  const words = [event.severity, event.severity === "info" ? "" : told, event.module ? `in ${event.module}` : "",
    event.times > 1 ? `${event.times} times` : "", event.damage ?? ""].filter(Boolean).join(", ");
  const trouble = event.severity !== "info" && standing === "unexpected";
  return make("li", "", make("code", trouble ? "failed" : "", event.title), " ", make("span", "count", words));
}

function logText(text, hot) {
  const lines = text.trimEnd().split("\n").map(line =>
    hot.some(first => first && line.includes(first)) ? make("mark", "", line) : line);
  return make("pre", "log", ...lines.flatMap(line => [line, "\n"]));
}

function command(label, text) {
  const code = make("code", "", text);
  const button = make("button", "", "Copy");
  button.type = "button";
  button.onclick = async () => {
    try {
      await navigator.clipboard.writeText(text);
      button.textContent = "Copied";
    } catch {
      getSelection().selectAllChildren(code);
      button.textContent = "Selected";
    }
  };
  return make("div", "command", make("span", "", label), code, button);
}

// The address names the case that is open.
function follow() {
  const id = decodeURIComponent(location.hash.slice(1));
  if (cells.some(cell => idOf(cell) === id)) show(id);
  else if (dialog.open) dialog.close();
}
addEventListener("hashchange", follow);
dialog.addEventListener("close", () => {
  const id = decodeURIComponent(location.hash.slice(1));
  history.replaceState(null, "", location.pathname + location.search);
  cells.find(cell => idOf(cell) === id)?.focus();
});
dialog.addEventListener("click", event => {
  if (event.target === dialog) dialog.close();
});
dialog.addEventListener("keydown", event => {
  const step = { ArrowLeft: -1, ArrowRight: 1 }[event.key];
  if (!step) return;
  const chips = [...dialog.querySelectorAll("nav a")];
  const next = chips[chips.findIndex(chip => chip.hasAttribute("aria-current")) + step];
  next?.click();
});
addEventListener("click", event => {
  const link = event.target.closest("td a, a.case, nav a");
  // No jump to the finding of the same name: the case opens here.
  if (!link || event.ctrlKey || event.metaKey || event.shiftKey) return;
  event.preventDefault();
  history.pushState(null, "", link.getAttribute("href"));
  follow();
});
addEventListener("popstate", follow);

// Filters.
function wanted() {
  const data = new FormData(form);
  return {
    words: data.get("text").toLowerCase().split(/\s+/).filter(Boolean),
    verdicts: new Set(data.getAll("verdict")),
    group: data.get("group"),
    kernel: data.get("kernel"),
  };
}
function filter() {
  const want = wanted();
  const kernels = [...matrix.tHead.rows[0].cells].map(cell => cell.dataset.kernel);
  const seen = index => !want.kernel || kernels[index] === undefined || kernels[index] === want.kernel;
  for (const row of matrix.rows) for (const cell of row.cells) cell.hidden = !seen(cell.cellIndex);
  let shown = 0, all = 0;
  for (const body of matrix.tBodies) {
    let any = false;
    for (const row of [...body.rows].slice(1)) {
      const text = `${body.dataset.group}::${row.cells[0].textContent}`.toLowerCase();
      const matches = (!want.group || body.dataset.group === want.group)
        && want.words.every(word => text.includes(word))
        && (!want.verdicts.size || [...row.cells].some(cell => !cell.hidden && want.verdicts.has(cell.className)));
      row.hidden = !matches;
      any ||= matches;
      shown += matches;
      all += 1;
    }
    body.hidden = !any;
  }
  form.querySelector("output").textContent = shown === all ? `${all} scenarios` : `${shown} of ${all} scenarios`;
}
form.addEventListener("input", filter);
form.addEventListener("submit", event => event.preventDefault());

// Folding.
function fold(body, folded) {
  body.classList.toggle("folded", folded);
  body.querySelector("button").setAttribute("aria-expanded", String(!folded));
}
for (const body of matrix.tBodies) {
  const button = body.querySelector("button");
  button.disabled = false;
  button.onclick = () => fold(body, !body.classList.contains("folded"));
}
const foldAll = form.querySelector("[data-fold]");
foldAll.onclick = () => {
  const folding = foldAll.textContent === "fold all";
  for (const body of matrix.tBodies) fold(body, folding);
  foldAll.textContent = folding ? "unfold all" : "fold all";
};

// Keys: one stop for Tab in the whole matrix, arrows within it; `/` goes to the filter.
for (const cell of cells) cell.tabIndex = -1;
if (cells.length) cells[0].tabIndex = 0;
matrix.addEventListener("focusin", event => {
  if (!event.target.matches("td a")) return;
  for (const cell of cells) cell.tabIndex = -1;
  event.target.tabIndex = 0;
});
matrix.addEventListener("keydown", event => {
  const [down, right] = { ArrowDown: [1, 0], ArrowUp: [-1, 0], ArrowRight: [0, 1], ArrowLeft: [0, -1] }[event.key] ?? [];
  const cell = event.target.closest("td");
  if (down === undefined || !cell) return;
  event.preventDefault();
  const rows = [...matrix.rows].filter(row => row.offsetParent !== null && row.querySelector("td a"));
  const next = right
    ? [...cell.parentNode.cells].filter(other => (other.cellIndex - cell.cellIndex) * right > 0 && !other.hidden)
        .at(right > 0 ? 0 : -1)
    : rows[rows.indexOf(cell.parentNode) + down]?.cells[cell.cellIndex];
  next?.querySelector("a")?.focus();
});
addEventListener("keydown", event => {
  if (event.key !== "/" || dialog.open || event.target.matches("input, select")) return;
  event.preventDefault();
  form.elements.text.focus();
});

document.body.classList.add("scripted");
form.hidden = false;
filter();
follow();
