// Puts the parts together: which file is shown, which of its samples, and when the page is ready.

let shown = 0;
const shownFile = () => fileData(shown);

function showFile(number) {
  shown = number;
  state.page = 0;
  state.column = 0;
  state.descending = false;
  const file = shownFile();
  const { index, question } = file.samples;
  fillChoices(byId("sample-choice"), index.map((row, i) => [String(i), `${row}: ${question[i].slice(0, 80)}`]), "0");
  showHeadings(file);
  showSamples(file);
  if (index.length) showSample(0);
}

function showSample(i) {
  const file = shownFile();
  byId("sample-choice").value = String(i);
  byId("previous-sample").disabled = i === 0;
  byId("next-sample").disabled = i === file.samples.index.length - 1;
  markOpen(i);
  showSampleText(file, i);
  if (file.trees[i] === null) {
    showNoTree(missingWords(file, i));
  } else {
    showTree(new Tree(file, i));
  }
}

function missingWords(file, i) {
  if (file.samples.n_chains[i] === 0) return "This sample was not begun: it has no chains.";
  return "The tree of this sample is not in the report, which holds a limited number of chains: cola-report --max-chains.";
}

// Where the table's questions lead
function goToSample(i) {
  showSample(i);
  byId("tree").scrollIntoView();
  byId("tree").focus({ preventScroll: true });
}

function startChoices() {
  fillChoices(byId("file-choice"), fileBlocks.map((block, number) => [String(number), block.dataset.title]), "0");
  byId("file-choice").addEventListener("change", (event) => showFile(Number(event.target.value)));
  byId("sample-choice").addEventListener("change", (event) => showSample(Number(event.target.value)));
  const move = (by) => showSample(Number(byId("sample-choice").value) + by);
  byId("previous-sample").addEventListener("click", () => move(-1));
  byId("next-sample").addEventListener("click", () => move(1));
}

function start() {
  startTheme();
  startSamples(shownFile, goToSample);
  startTree();
  startChoices();
  byId("samples-view").hidden = false;
  byId("tree-view").hidden = false;
  showFile(0);
  startScrolling();
  performance.mark("cola-report-ready");
}

start();
