// Small tools for the document. Text only ever becomes text: nothing here reads markup.

/** @typedef {string | number | Node | null | undefined} Child */

/**
 * An element with attributes and children; `class`, `on…` and `data-…` are attributes like all others.
 * @param {string} name
 * @param {Record<string, string | number | boolean | ((event: Event) => void) | null | undefined>} [attributes]
 * @param {...Child} children
 * @returns {HTMLElement}
 */
export function make(name, attributes = {}, ...children) {
  return /** @type {HTMLElement} */ (fill(document.createElement(name), attributes, children));
}

/** The same of a drawing. @param {string} name @param {Record<string, string | number>} [attributes] @param {...Child} children */
export function draw(name, attributes = {}, ...children) {
  return fill(document.createElementNS("http://www.w3.org/2000/svg", name), attributes, children);
}

/** @param {Element} element @param {Record<string, any>} attributes @param {Child[]} children */
function fill(element, attributes, children) {
  for (const [name, value] of Object.entries(attributes)) {
    if (typeof value === "function") element.addEventListener(name.slice(2), value);
    else if (value !== null && value !== undefined && value !== false) {
      element.setAttribute(name, value === true ? "" : String(value));
    }
  }
  for (const child of children) if (child !== null && child !== undefined) element.append(child instanceof Node ? child : String(child));
  return element;
}

/** @param {string} id @returns {any} The element of this id, which the page has. */
export function the(id) {
  const found = document.getElementById(id);
  if (!found) throw new Error(`the page has no #${id}`);
  return found;
}

/** Sets a text when it is another one, so that nothing is drawn in vain. @param {Node} node @param {string} text */
export function put(node, text) {
  if (node.textContent !== text) node.textContent = text;
}

/** Runs `work` once before the next picture, however often it is asked. @param {() => void} work @returns {() => void} */
export function beforePaint(work) {
  let isWaiting = false;
  return () => {
    if (isWaiting) return;
    isWaiting = true;
    requestAnimationFrame(() => {
      isWaiting = false;
      work();
    });
  };
}
