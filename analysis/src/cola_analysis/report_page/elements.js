// Making elements. Text becomes text nodes and attributes are set by name: no string is ever read as HTML, since
// questions, answers and names come from outside.

const byId = (id) => document.getElementById(id);

// element("td", {class: "number"}, "12", child): children are strings, numbers or elements; null is left out
function element(name, attributes, ...children) {
  const made = document.createElement(name);
  for (const [key, value] of Object.entries(attributes ?? {})) {
    if (value === null || value === false) continue;
    made.setAttribute(key, value === true ? "" : value);
  }
  for (const child of children) {
    if (child === null || child === undefined) continue;
    made.append(child instanceof Node ? child : String(child));
  }
  return made;
}

// Text from outside, kept from reordering what stands beside it (right-to-left and override characters)
const isolated = (text) => element("bdi", {}, text);

function fillChoices(select, choices, chosen) {
  select.replaceChildren(...choices.map(([value, text]) => element("option", { value, selected: value === chosen }, text)));
}

const percent = (share) => `${Math.round(100 * share)} %`;
const plural = (n, thing) => `${n} ${thing}${n === 1 ? "" : "s"}`;
