// From a code that was scanned or typed to what goes into the basket.

import { readLabel } from "./barcode.js";
import { byCode, search } from "./catalogue.js";
import { t } from "./language.js";
import { state } from "./state.js";

const byWeight = (product) => product.sold_by === "weight";

async function firstOf(codes) {
  for (const code of codes) {
    const product = await byCode(code);
    if (product) return product;
  }
  return null;
}

/** `{product, label}` for a code, where the label is what the shop's scales printed, or `{problem}` in words. */
export async function lookUp(code) {
  const known = await byCode(code);
  if (known) return { product: known };
  const label = readLabel(code, state.till.barcode_patterns);
  if (!label) return { problem: t("unknown_code", { code }) };
  if (label.misread) return { problem: t("label.misread", { code }) };
  const product = await firstOf(label.articles);
  if (!product) return { problem: t("unknown_code", { code: label.articles[0] }) };
  if (!label.price && !label.grams) return { problem: t("label.nothing", { item: product.description }) };
  if (label.grams && !byWeight(product)) return { problem: t("label.not_weighed", { item: product.description }) };
  return { product, label };
}

/** As `lookUp`, also for words that name one product alone. */
export async function lookUpWords(text) {
  const found = await lookUp(text);
  if (found.product) return found;
  const named = await search(text);
  return named.length === 1 ? { product: named[0] } : found;
}
