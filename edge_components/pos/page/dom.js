// The few things that every part of the page does with its elements.

export const $ = (id) => document.getElementById(id);

/** An element with text; data only ever becomes text, never markup. */
export function make(tag, text = "", properties = {}) {
  return Object.assign(document.createElement(tag), { textContent: text }, properties);
}

/** A paragraph of two ends, such as an article and its price. */
export function row(left, right, className = "") {
  const line = make("p", "", { className });
  line.append(make("span", left), make("span", right));
  return line;
}

/** Whether a dialog has the cashier's attention. */
export const asking = () => document.querySelector("dialog[open]") !== null;

export const pause = (milliseconds) => new Promise((resolve) => setTimeout(resolve, milliseconds));
