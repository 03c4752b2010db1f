// Chains of layers: an edit applied, and the text form 0-4,6-9,(10-12)x2,13-27 as the program prints it. Ascending
// runs are joined and adjacent repeats folded; the folds chosen are those of src/chain/print.c.

const MAX_FOLD_DEPTH = 8;
const SKIP = 1;
const REPEAT = 2;

function editedLayers(layers, kind, position, block, times) {
  const end = position + block;
  if (kind === SKIP) return [...layers.slice(0, position), ...layers.slice(end)];
  const made = layers.slice(0, end);
  for (let i = 0; i < times; i++) made.push(...layers.slice(position, end));
  return made.concat(layers.slice(end));
}

// For each position the block of the best fold that starts there, and the entries it saves (0: none)
function bestFolds(layers) {
  const n = layers.length;
  const blockOf = new Array(n).fill(0);
  const saving = new Array(n).fill(0);
  for (let block = 1; block <= Math.floor(n / 2); block++) {
    let matches = 0;
    for (let i = n - block - 1; i >= 0; i--) {
      matches = layers[i] === layers[i + block] ? matches + 1 : 0;
      const saved = matches - (matches % block);
      if (saved > saving[i]) [saving[i], blockOf[i]] = [saved, block];
    }
  }
  return [blockOf, saving];
}

function chainText(layers, depth = 0) {
  const n = layers.length;
  const [blockOf, saving] = depth < MAX_FOLD_DEPTH ? bestFolds(layers) : [[], new Array(n).fill(0)];
  // a fold is taken unless one that starts inside it saves more
  const folds = (i) => saving[i] > 0 && saving.slice(i + 1, i + blockOf[i] + saving[i]).every((s) => s <= saving[i]);
  const items = [];
  for (let i = 0; i < n; ) {
    if (folds(i)) {
      const block = blockOf[i];
      const passes = saving[i] / block + 1;
      items.push(`(${chainText(layers.slice(i, i + block), depth + 1)})x${passes}`);
      i += block * passes;
      continue;
    }
    let last = i;
    while (last + 1 < n && layers[last + 1] === layers[last] + 1 && !folds(last + 1)) last++;
    items.push(last === i ? `${layers[i]}` : `${layers[i]}-${layers[last]}`);
    i = last + 1;
  }
  return items.join(",");
}

// How often each layer of the model is passed
function passesOf(layers, nLayers) {
  const passes = new Array(nLayers).fill(0);
  for (const layer of layers) if (layer < nLayers) passes[layer]++;
  return passes;
}

// "skip layers 4-6" | "repeat layers 10-12, 2 more passes": by the layers of the parent at the edited positions
function editWords(parentLayers, kind, position, block, times) {
  if (kind !== SKIP && kind !== REPEAT) return "several edits";
  const layers = parentLayers.slice(position, position + block);
  const what = `${layers.length === 1 ? "layer" : "layers"} ${chainText(layers)}`;
  return kind === SKIP ? `skip ${what}` : `repeat ${what}, ${times} more ${times === 1 ? "pass" : "passes"}`;
}
