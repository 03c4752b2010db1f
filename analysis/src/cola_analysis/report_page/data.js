// The JSON blocks of the page: one a file (a run or a control), read when the file is first shown. A sample's tree is
// unpacked when it is opened, and a chain's layers are made from its parent's when they are first asked for
// (report_trees.py packs and says what the columns mean).

const FLAGS = { right: 1, front: 2, whole: 4, notScored: 8 };
const OUTCOMES = ["not counted", "right, not shorter", "right and shorter", "corrected", "not corrected"];
const TYPES = {
  uint8: Uint8Array, uint16: Uint16Array, uint32: Uint32Array, int16: Int16Array, int32: Int32Array, float32: Float32Array,
};

const fileBlocks = [...document.querySelectorAll('script[type="application/json"][id^="file-"]')];
const filesRead = new Map();

function fileData(number) {
  if (!filesRead.has(number)) filesRead.set(number, JSON.parse(byId(`file-${number}`).textContent));
  return filesRead.get(number);
}

// The number of chains; typed arrays by column, and the flat layers of the chains that are stored whole
function unpack(text, columns) {
  const bytes = Uint8Array.from(atob(text), (character) => character.charCodeAt(0));
  const n = new DataView(bytes.buffer).getUint32(0, true);
  let at = 4;
  const take = (Type, length) => {
    const end = at + length * Type.BYTES_PER_ELEMENT;
    const taken = new Type(bytes.buffer.slice(at, end)); // a copy, since columns begin anywhere
    at = end;
    return taken;
  };
  const unpacked = {};
  for (const [name, type] of columns) unpacked[name] = take(TYPES[type], n);
  unpacked.stored = take(Uint16Array, (bytes.length - at) / 2);
  return [n, unpacked];
}

class Tree {
  constructor(file, sample) {
    [this.n, this.columns] = unpack(file.trees[sample], file.columns);
    this.file = file;
    this.sample = sample;
    this.children = Array.from({ length: this.n }, () => []);
    this.layersKnown = new Array(this.n);
    let at = 0;
    for (let chain = 0; chain < this.n; chain++) {
      if (chain > 0) this.children[this.columns.parent[chain]].push(chain);
      if (!this.has(chain, FLAGS.whole)) continue;
      const end = at + this.columns.length[chain];
      this.layersKnown[chain] = Array.from(this.columns.stored.subarray(at, end));
      at = end;
    }
    this.branchRight = this.branchesWithRight();
  }

  has(chain, flag) {
    return (this.columns.flags[chain] & flag) !== 0;
  }

  parent(chain) {
    return chain === 0 ? -1 : this.columns.parent[chain];
  }

  // Mean reward of the simulations through a chain
  value(chain) {
    const visits = this.columns.visits[chain];
    return visits ? this.columns.total[chain] / visits : 0;
  }

  // For each chain whether it or one below it is right; children come after their parents
  branchesWithRight() {
    const found = new Uint8Array(this.n);
    for (let chain = this.n - 1; chain >= 0; chain--) {
      if (this.has(chain, FLAGS.right)) found[chain] = 1;
      if (found[chain] && chain > 0) found[this.columns.parent[chain]] = 1;
    }
    return found;
  }

  // Without recursion: a tree may be as deep as it has chains
  layers(chain) {
    const missing = [];
    for (let c = chain; this.layersKnown[c] === undefined; c = this.columns.parent[c]) missing.push(c);
    for (const c of missing.reverse()) {
      const { parent, kind, position, block, times } = this.columns;
      this.layersKnown[c] = editedLayers(this.layersKnown[parent[c]], kind[c], position[c], block[c], times[c]);
    }
    return this.layersKnown[chain];
  }

  text(chain) {
    return chainText(this.layers(chain));
  }

  edit(chain) {
    if (chain === 0) return "base: all layers once";
    const { parent, kind, position, block, times } = this.columns;
    return editWords(this.layers(parent[chain]), kind[chain], position[chain], block[chain], times[chain]);
  }

  // What a chain predicts, short: a label, or the answer itself
  prediction(chain) {
    if (this.has(chain, FLAGS.notScored)) return "no finite scores";
    return predictionText(this.file, this.sample, this.columns.prediction[chain], this.answer(chain));
  }

  // The same in full: with the text of the choice
  predictionInFull(chain) {
    const prediction = this.columns.prediction[chain];
    const text = this.file.byRow ? undefined : this.file.samples.choices[this.sample][prediction];
    return text && !this.has(chain, FLAGS.notScored) ? `${this.prediction(chain)}: ${text}` : this.prediction(chain);
  }

  answer(chain) {
    return this.columns.answer ? this.file.answers[this.sample][this.columns.answer[chain]] : "";
  }

  verdict(chain) {
    return this.has(chain, FLAGS.right) ? "right" : "wrong";
  }
}

function predictionText(file, sample, prediction, answer) {
  if (prediction === -1) return "nothing";
  if (file.byRow) return answer || (prediction === file.samples.target[sample] ? "the target" : "another answer");
  return choiceLabel(file, sample, prediction);
}

function choiceLabel(file, sample, choice) {
  const labels = file.samples.labels[sample];
  return labels[choice] || (choice >= 0 ? `choice ${choice + 1}` : "none");
}
