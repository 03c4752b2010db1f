// The panel beside the tree: all that is known of the chosen chain; and the sample's question above it.

function showSampleText(file, i) {
  const { question, id, choices, gold, target, target_text: targetText, index } = file.samples;
  const lines = choices[i].map((text, choice) => {
    const tags = [];
    if (choice === gold[i]) tags.push(element("span", { class: "tag right" }, "right answer"));
    if (choice === target[i] && target[i] !== gold[i]) tags.push(element("span", { class: "tag" }, "looked for"));
    const label = element("strong", {}, isolated(choiceLabel(file, i, choice)), ": ");
    return element("li", {}, label, isolated(text), ...(file.byRow ? [] : tags));
  });
  const sought = file.byRow ? element("p", {}, "Looked for: ", isolated(targetText[i] || "nothing")) : null;
  byId("sample-text").replaceChildren(
    element("p", { class: "muted" }, `Row ${index[i]}, `, isolated(id[i] || "no id"), `: ${OUTCOMES[file.samples.outcome[i]]}`),
    element("p", { class: "question-text" }, isolated(question[i])),
    element("ol", {}, ...(file.byRow ? [] : lines)),
    sought ?? "",
  );
}

function layerStrip(passes) {
  const boxes = passes.map((n, layer) => {
    const look = n === 0 ? "skipped" : n > 1 ? "repeated" : null;
    return element("span", { class: look }, layer, n > 1 ? element("small", {}, `×${n}`) : null);
  });
  return element("div", { class: "strip", "aria-hidden": "true" }, ...boxes);
}

// The strip in words
function passesWords(passes) {
  const layers = (holds) => passes.flatMap((n, layer) => (holds(n) ? [layer] : []));
  const skipped = layers((n) => n === 0);
  const repeated = layers((n) => n > 1);
  const parts = [];
  if (skipped.length) parts.push(`skips ${chainText(skipped)}`);
  if (repeated.length) parts.push(`passes ${chainText(repeated)} more than once`);
  return parts.length ? parts.join("; ") : "passes each layer once";
}

function showChain(tree, chain) {
  const layers = tree.layers(chain);
  const passes = passesOf(layers, tree.file.nLayers);
  const right = tree.verdict(chain);
  const facts = [
    ["Chain", element("code", {}, tree.text(chain))],
    ["Edit", tree.edit(chain)],
    ["Layers", `${layers.length}; ${passesWords(passes)}`],
    ["Evaluated", `as number ${chain + 1} of ${tree.n}`],
    ["Visits", tree.columns.visits[chain]],
    ["Value", `${tree.value(chain).toFixed(3)} (rewards ${+tree.columns.total[chain].toFixed(3)})`],
    ["Prediction", isolated(tree.predictionInFull(chain))],
    ["Verdict", element("strong", { class: right }, right)],
    ["Pareto front", tree.has(chain, FLAGS.front) ? "yes: no visited chain is as good and shorter" : "no"],
  ];
  byId("chain-detail").replaceChildren(
    element("h3", { id: "chain-title" }, "Chosen chain"),
    layerStrip(passes),
    element("dl", {}, ...facts.flatMap(([name, value]) => [element("dt", {}, name), element("dd", {}, value)])),
  );
}
