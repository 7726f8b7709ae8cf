// The page in the cashier's language. Money and dates follow the store's locale, whatever the language is.

import de from "./languages/de.js";
import en from "./languages/en.js";
import es from "./languages/es.js";
import fr from "./languages/fr.js";

export const LANGUAGES = { en, de, fr, es };
const KEY = "greentill.language";
let words = en;

/** The words for a key; `{name}` is filled in. A key that a language lacks is said in English. */
export function t(key, values = {}) {
  const text = words[key] ?? en[key] ?? key;
  return text.replace(/\{(\w+)\}/g, (_, name) => String(values[name] ?? ""));
}

/** One or many: the key with `.one` or `.many` after it. */
export const count = (key, number, locale) =>
  t(`${key}.${number === 1 ? "one" : "many"}`, { n: number.toLocaleString(locale) });

/** Choose by the cashier's wish, else by the store's locale; and say everything on the page in it. */
export function speak(locale, wanted = localStorage.getItem(KEY)) {
  const name = [wanted, locale?.split("-")[0], "en"].find((one) => one in LANGUAGES);
  words = LANGUAGES[name];
  document.documentElement.lang = name;
  for (const element of document.querySelectorAll("[data-t]")) element.textContent = t(element.dataset.t);
  for (const element of document.querySelectorAll("[data-t-label]")) element.ariaLabel = t(element.dataset.tLabel);
  for (const element of document.querySelectorAll("[data-t-placeholder]")) element.placeholder = t(element.dataset.tPlaceholder);
  return name;
}

export function wish(language) {
  localStorage.setItem(KEY, language);
}

/** What the till says of a broken rule, in the cashier's language where we have words for its code. */
export function explain({ code, message }) {
  const known = words === en ? undefined : words[`reason.${code}`];
  return known ? `${known} (${message})` : message;
}
