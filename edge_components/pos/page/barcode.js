// Barcodes that the shop's scales print: an article's number with its price or its weight inside. A pattern says
// which digit is what: those that it begins with, I article, P price in minor units, W weight in grams, X nothing,
// C check digit.

const DIGITS = 13;

/** Whether the last digit of an EAN follows from the others (GS1: weights of 3 and 1 from the right). */
export function checks(code) {
  const sum = [...code].reverse().reduce((all, digit, index) => all + Number(digit) * (index % 2 ? 3 : 1), 0);
  return sum % 10 === 0;
}

function begins(code, pattern) {
  return code.startsWith(/^[0-9]*/.exec(pattern)[0]);
}

function part(code, pattern, letter) {
  return [...code].filter((_, index) => pattern[index] === letter).join("");
}

/** What a scanned code says by the first pattern that it fits: null, or its article and price or grams. */
export function readLabel(scanned, patterns) {
  if (!/^[0-9]{12,13}$/.test(scanned)) return null;
  const code = scanned.padStart(DIGITS, "0"); // a UPC-A is an EAN with a zero before it
  const pattern = patterns.find((one) => begins(code, one));
  if (!pattern) return null;
  if (!checks(code)) return { misread: true };
  const article = part(code, pattern, "I");
  const articles = [...new Set([article, article.replace(/^0+(?=.)/, "")])];
  const price = part(code, pattern, "P");
  const measure = price ? { price: Number(price) } : { grams: Number(part(code, pattern, "W")) };
  return { articles, ...measure };
}
