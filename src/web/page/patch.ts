// Brings what is shown up to what should be, in place: who walks through the page by keyboard, has something open or
// types keeps place and words, and nothing that is out of date stays because somebody stands on it.

export function patch(shown: Element, fresh: Element): void {
  if (shown.isEqualNode(fresh)) return;
  if (shown.tagName !== fresh.tagName) return shown.replaceWith(fresh);
  patchAttributes(shown, fresh);
  patchChildren(shown, fresh);
}

function patchAttributes(shown: Element, fresh: Element): void {
  for (const { name } of [...shown.attributes]) if (!fresh.hasAttribute(name) && !isTheirs(shown, name)) shown.removeAttribute(name);
  for (const { name, value } of fresh.attributes) if (shown.getAttribute(name) !== value) shown.setAttribute(name, value);
}

/** What somebody unfolded stays so. */
const isTheirs = (element: Element, name: string): boolean => name === "open" && element.tagName === "DETAILS";

function patchChildren(shown: Element, fresh: Element): void {
  const wanted = [...fresh.childNodes];
  const keys = new Set(wanted.map(keyOf));
  let next = shown.firstChild;
  for (const node of wanted) {
    // What is gone goes first: nothing that stays has to move, and so to lose the keyboard.
    while (next !== null && keyOf(next) !== "" && !keys.has(keyOf(next))) next = remove(next);
    const same = counterpart(next, node);
    if (same === null) {
      shown.insertBefore(node, next);
      continue;
    }
    if (same === next) next = next.nextSibling;
    else shown.insertBefore(same, next);
    if (same instanceof Element && node instanceof Element) patch(same, node);
    else if (same.nodeValue !== node.nodeValue) same.nodeValue = node.nodeValue;
  }
  while (next !== null) next = remove(next);
}

function remove(node: ChildNode): ChildNode | null {
  const { nextSibling } = node;
  node.remove();
  return nextSibling;
}

/** The row of the same thing, wherever it stands from here on; of what is no row of anything, what stands here. */
function counterpart(next: ChildNode | null, node: ChildNode): ChildNode | null {
  const key = keyOf(node);
  if (key === "") return next !== null && keyOf(next) === "" && next.nodeName === node.nodeName ? next : null;
  for (let candidate = next; candidate !== null; candidate = candidate.nextSibling) if (keyOf(candidate) === key) return candidate;
  return null;
}

const keyOf = (node: Node): string => (node instanceof Element ? (node.getAttribute("data-key") ?? "") : "");
