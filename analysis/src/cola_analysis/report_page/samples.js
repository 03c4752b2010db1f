// The table of samples: sorted by any column, filtered by outcome and text, a page at a time so that thousands of
// samples open at once.

const ROWS_OF_PAGE = 50;
const LONGEST_QUESTION = 140;

// title; value(file, i) to sort by (null last); show(file, i) if the cell is not the value
const SAMPLE_COLUMNS = [
  { title: "Row", number: true, value: (file, i) => file.samples.index[i] },
  { title: "Question", value: (file, i) => file.samples.question[i], show: questionCell, look: "question" },
  { title: "Outcome", value: (file, i) => file.samples.outcome[i], show: outcomeCell, look: "outcome" },
  { title: "Looked for", value: (file, i) => soughtText(file, i) },
  { title: "Base predicts", value: (file, i) => basePrediction(file, i) },
  { title: "Chains", number: true, value: (file, i) => file.samples.n_chains[i] },
  { title: "Right chains", number: true, value: (file, i) => file.samples.n_right[i] },
  { title: "First right", number: true, value: (file, i) => file.samples.first_right[i] || null },
  { title: "Shortest right", number: true, value: (file, i) => file.samples.shortest_depth[i] || null },
  { title: "Control right", number: true, value: (file, i) => file.samples.control_right[i], unlessControl: true },
];

const state = { order: [], column: 0, descending: false, page: 0, outcome: "", words: "" };
let openSample = () => {};

function questionCell(file, i) {
  const question = file.samples.question[i];
  const short = question.length > LONGEST_QUESTION ? `${question.slice(0, LONGEST_QUESTION)}…` : question;
  const button = element("button", { type: "button", class: "link" }, isolated(short || file.samples.id[i] || "(no text)"));
  button.addEventListener("click", () => openSample(i));
  return button;
}

function outcomeCell(file, i) {
  const outcome = file.samples.outcome[i];
  const look = [null, "right", "right", "right", "wrong"][outcome];
  return element("span", { class: look }, OUTCOMES[outcome]);
}

function soughtText(file, i) {
  const target = file.samples.target[i];
  if (target < 0) return null;
  return file.byRow ? file.samples.target_text[i] : choiceLabel(file, i, target);
}

function basePrediction(file, i) {
  const prediction = file.samples.base_prediction[i];
  if (prediction === null) return null;
  if (prediction === -1) return "nothing";
  if (!file.byRow) return choiceLabel(file, i, prediction);
  return prediction === file.samples.target[i] ? "the target" : "another answer";
}

const shownColumns = (file) => SAMPLE_COLUMNS.filter((column) => !(column.unlessControl && file.isControl));

const collator = new Intl.Collator(); // made once: comparing by locale anew is ten times as slow

function compare(a, b) {
  if (a === null || b === null) return a === b ? 0 : undefined;
  return typeof a === "number" ? a - b : collator.compare(a, b);
}

// Samples that pass the filters, in order; what has no value comes last either way
function orderedSamples(file) {
  const words = state.words.trim().toLowerCase();
  const { question, id, outcome } = file.samples;
  const holds = (i) =>
    (state.outcome === "" || outcome[i] === Number(state.outcome)) &&
    (words === "" || `${question[i]}\n${id[i]}`.toLowerCase().includes(words));
  const found = question.map((_, i) => i).filter(holds);
  const { value } = shownColumns(file)[state.column];
  const keys = question.map((_, i) => value(file, i));
  const sign = state.descending ? -1 : 1;
  return found.sort((a, b) => {
    const order = compare(keys[a], keys[b]);
    if (order === undefined) return keys[a] === null ? 1 : -1;
    return sign * order || a - b;
  });
}

function showHeadings(file) {
  const cells = shownColumns(file).map((column, number) => {
    const button = element("button", { type: "button" }, column.title);
    button.addEventListener("click", () => sortBy(file, number));
    const sorted = number === state.column ? (state.descending ? "descending" : "ascending") : "none";
    return element("th", { scope: "col", class: column.number ? "number" : null, "aria-sort": sorted }, button);
  });
  byId("samples-table").tHead.replaceChildren(element("tr", {}, ...cells));
}

function sortBy(file, number) {
  state.descending = number === state.column ? !state.descending : false;
  state.column = number;
  state.page = 0;
  const cells = byId("samples-table").tHead.rows[0].cells;
  [...cells].forEach((cell, i) => {
    cell.setAttribute("aria-sort", i !== number ? "none" : state.descending ? "descending" : "ascending");
  });
  showSamples(file);
}

function sampleRow(file, i) {
  const cells = shownColumns(file).map((column) => {
    const value = column.value(file, i);
    const content = value === null ? "–" : column.show ? column.show(file, i) : column.number ? value : isolated(value);
    return element("td", { class: column.number ? "number" : column.look }, content);
  });
  return element("tr", { "data-sample": i, "aria-current": i === state.open ? "true" : null }, ...cells);
}

function showSamples(file) {
  state.order = orderedSamples(file);
  const nPages = Math.max(1, Math.ceil(state.order.length / ROWS_OF_PAGE));
  state.page = Math.min(state.page, nPages - 1);
  const first = state.page * ROWS_OF_PAGE;
  const rows = state.order.slice(first, first + ROWS_OF_PAGE).map((i) => sampleRow(file, i));
  byId("samples-table").tBodies[0].replaceChildren(...rows);
  const all = file.samples.index.length;
  const range = rows.length && nPages > 1 ? `, rows ${first + 1} to ${first + rows.length}` : "";
  byId("samples-count").textContent = `${state.order.length} of ${plural(all, "sample")}${range}`;
  showPages(file, nPages);
}

function showPages(file, nPages) {
  const button = (text, page) => {
    const made = element("button", { type: "button", disabled: page < 0 || page >= nPages }, text);
    made.addEventListener("click", () => turnTo(file, page, text));
    return made;
  };
  const pages = [button("Previous page", state.page - 1), button("Next page", state.page + 1)];
  byId("pages").replaceChildren(...(nPages > 1 ? pages : []));
}

// The buttons are made anew, so the one that was pressed gets the focus again
function turnTo(file, page, text) {
  state.page = page;
  showSamples(file);
  const buttons = [...byId("pages").children].filter((button) => !button.disabled);
  (buttons.find((button) => button.textContent === text) ?? buttons[0])?.focus();
}

function markOpen(i) {
  state.open = i;
  for (const row of byId("samples-table").tBodies[0].rows) {
    if (Number(row.dataset.sample) === i) row.setAttribute("aria-current", "true");
    else row.removeAttribute("aria-current");
  }
}

// Filters of the table, for whichever file is shown
function startSamples(shownFile, open) {
  openSample = open;
  fillChoices(byId("outcome-choice"), [["", "all"], ...OUTCOMES.map((text, code) => [String(code), text])], "");
  const filter = () => {
    state.outcome = byId("outcome-choice").value;
    state.words = byId("search").value;
    state.page = 0;
    showSamples(shownFile());
  };
  byId("outcome-choice").addEventListener("change", filter);
  byId("search").addEventListener("input", filter);
}
