// The tree of one sample, by the WAI-ARIA tree pattern: one stop for the tab key, arrow keys inside. Children are made
// when their parent is opened, so that a tree of any size opens at once.

const ORDERS = {
  evaluation: ["order of evaluation", (tree, a, b) => a - b],
  value: ["value", (tree, a, b) => tree.value(b) - tree.value(a)],
  visits: ["visits", (tree, a, b) => tree.columns.visits[b] - tree.columns.visits[a]],
  length: ["layers", (tree, a, b) => tree.columns.length[a] - tree.columns.length[b]],
};
const MOST_OPENED = 2000; // nodes that "Expand all" makes

const view = { tree: null, order: "evaluation", onlyRight: false };

function shownChildren(chain) {
  const { tree } = view;
  const children = tree.children[chain].filter((child) => !view.onlyRight || tree.branchRight[child]);
  const [, order] = ORDERS[view.order];
  return children.sort((a, b) => order(tree, a, b) || a - b);
}

const numberOf = (item) => Number(item.dataset.chain);
const isOpen = (item) => item.getAttribute("aria-expanded") === "true";
const rootItem = () => byId("tree-root").firstElementChild;
const parentItem = (item) => item.parentElement.closest('[role="treeitem"]');

function nodeRow(tree, chain, level) {
  const right = tree.verdict(chain);
  const name = element(
    "span", { class: "chain" },
    element("span", { class: "twisty" }),
    element("span", { class: `verdict ${right}`, title: right }, right === "right" ? "✓" : "✗"),
    element("span", { class: "chain-text" }, tree.text(chain)),
    element("span", { class: "edit" }, tree.edit(chain)),
  );
  const cells = [tree.columns.length[chain], tree.columns.visits[chain], tree.value(chain).toFixed(2)];
  const predicts = element("span", { class: right }, isolated(tree.prediction(chain)));
  const row = element("div", { class: "node" }, name, ...cells.map((cell) => element("span", {}, cell)), predicts);
  row.style.setProperty("--level", level);
  return row;
}

// What a screen reader says of a node: the row's columns have no headings of their own there
function spoken(tree, chain) {
  return [
    tree.verdict(chain), `predicts ${tree.prediction(chain)}`, tree.edit(chain), `chain ${tree.text(chain)}`,
    `${tree.columns.length[chain]} layers`, plural(tree.columns.visits[chain], "visit"), `value ${tree.value(chain).toFixed(2)}`,
  ].join(", ");
}

function treeItem(chain, level, place, size) {
  const { tree } = view;
  return element("li", {
    role: "treeitem", tabindex: "-1", "data-chain": chain, "aria-level": level, "aria-posinset": place, "aria-setsize": size,
    "aria-selected": "false", "aria-label": spoken(tree, chain), "aria-expanded": shownChildren(chain).length ? "false" : null,
  }, nodeRow(tree, chain, level));
}

function open(item) {
  if (item.getAttribute("aria-expanded") !== "false") return;
  item.setAttribute("aria-expanded", "true");
  const level = Number(item.getAttribute("aria-level")) + 1;
  const children = shownChildren(numberOf(item));
  const items = children.map((child, i) => treeItem(child, level, i + 1, children.length));
  item.append(element("ul", { role: "group" }, ...items));
}

function close(item) {
  if (!isOpen(item)) return;
  const holdsChosen = item.querySelector('ul [aria-selected="true"]') !== null;
  const holdsFocus = item.contains(document.activeElement);
  item.setAttribute("aria-expanded", "false");
  item.lastElementChild.remove();
  if (holdsChosen) choose(item, holdsFocus);
}

function choose(item, focus = true) {
  for (const other of byId("tree-root").querySelectorAll('[aria-selected="true"]')) {
    other.setAttribute("aria-selected", "false");
    other.tabIndex = -1;
  }
  item.setAttribute("aria-selected", "true");
  item.tabIndex = 0;
  if (focus) item.focus();
  showChain(view.tree, numberOf(item));
}

function visibleItems() {
  return [...byId("tree-root").querySelectorAll('[role="treeitem"]')];
}

function step(item, by) {
  const items = visibleItems();
  const next = items[items.indexOf(item) + by];
  if (next) choose(next);
}

const KEYS = {
  ArrowDown: (item) => step(item, 1),
  ArrowUp: (item) => step(item, -1),
  ArrowRight: (item) => (isOpen(item) ? step(item, 1) : open(item)),
  ArrowLeft: (item) => (isOpen(item) ? close(item) : parentItem(item) && choose(parentItem(item))),
  Home: () => choose(rootItem()),
  End: () => choose(visibleItems().at(-1)),
  Enter: (item) => toggle(item),
  " ": (item) => toggle(item),
  "*": (item) => [...item.parentElement.children].forEach(open),
};

function toggle(item) {
  if (isOpen(item)) close(item);
  else open(item);
}

function pressed(event) {
  const item = event.target.closest('[role="treeitem"]');
  if (!item || event.ctrlKey || event.altKey || event.metaKey || !(event.key in KEYS)) return;
  event.preventDefault();
  KEYS[event.key](item);
}

function clicked(event) {
  const row = event.target.closest(".node");
  if (!row) return;
  const item = row.parentElement;
  if (!event.target.closest(".twisty")) choose(item);
  toggle(item);
}

function expandAll() {
  const waiting = [rootItem()];
  for (let made = 0; waiting.length && made < MOST_OPENED; ) {
    const item = waiting.shift();
    open(item);
    const children = [...(item.querySelector(":scope > ul")?.children ?? [])];
    waiting.push(...children);
    made += children.length;
  }
}

function collapseAll() {
  close(rootItem());
  open(rootItem());
}

function showTree(tree) {
  view.tree = tree;
  byId("tree-empty").textContent = view.onlyRight && !tree.branchRight[0] ? "No chain of this sample is right." : "";
  byId("tree-root").replaceChildren(treeItem(0, 1, 1, 1));
  open(rootItem());
  choose(rootItem(), false);
}

function showNoTree(why) {
  view.tree = null;
  byId("tree-root").replaceChildren();
  byId("chain-detail").replaceChildren();
  byId("tree-empty").textContent = why;
}

function startTree() {
  fillChoices(byId("order-choice"), Object.entries(ORDERS).map(([key, [text]]) => [key, text]), view.order);
  const root = byId("tree-root");
  root.addEventListener("keydown", pressed);
  root.addEventListener("click", clicked);
  byId("expand-all").addEventListener("click", () => view.tree && expandAll());
  byId("collapse-all").addEventListener("click", () => view.tree && collapseAll());
  const again = () => {
    view.order = byId("order-choice").value;
    view.onlyRight = byId("only-right").checked;
    if (view.tree) showTree(view.tree);
  };
  byId("order-choice").addEventListener("change", again);
  byId("only-right").addEventListener("change", again);
}
