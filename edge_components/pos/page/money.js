// Money and quantities: integers on the way, text at the ends, no floats between.

function decimal(text) {
  const [whole, part = ""] = text.trim().replace(",", ".").split(".");
  return { digits: BigInt((whole || "0") + part), scale: part.length };
}

function halfUp(numerator, denominator) {
  const size = numerator < 0n ? -numerator : numerator;
  const rounded = (2n * size + denominator) / (2n * denominator);
  return Number(numerator < 0n ? -rounded : rounded);
}

/** "12.34" or "12,34" in minor units; digits finer than the currency round half up. */
export function minorUnits(text, exponent) {
  return lineTotal(1, 0, text, exponent);
}

/** What a quantity (with `scale` digits after the point) costs at a unit price, in minor units. */
export function lineTotal(quantity, scale, unitPrice, exponent) {
  const price = decimal(unitPrice);
  return halfUp(BigInt(quantity) * price.digits * 10n ** BigInt(exponent), 10n ** BigInt(scale + price.scale));
}

/** The quantity and its scale that come to `total` at a unit price, as coarse as that allows; null without one. */
export function quantityFor(total, unitPrice, exponent) {
  const price = decimal(unitPrice);
  const divisor = price.digits * 10n ** BigInt(exponent);
  if (divisor <= 0n) return null;
  for (const scale of [3, 4, 5, 6]) {
    const quantity = halfUp(BigInt(total) * 10n ** BigInt(scale + price.scale), divisor);
    if (lineTotal(quantity, scale, unitPrice, exponent) === total) return { quantity, scale };
  }
  return null;
}

/** A part of an amount, `numerator` of `denominator`. */
export function share(amount, numerator, denominator) {
  return halfUp(BigInt(amount) * BigInt(numerator), BigInt(denominator));
}

/** 1234 at exponent 2 is "12.34". */
export function plain(minor, exponent) {
  const text = String(Math.abs(minor)).padStart(exponent + 1, "0");
  const sign = minor < 0 ? "-" : "";
  return sign + (exponent ? `${text.slice(0, -exponent)}.${text.slice(-exponent)}` : text);
}

/** How the store writes amounts and quantities. */
export function formats({ locale, currency, currency_exponent: exponent }) {
  const digits = { minimumFractionDigits: exponent, maximumFractionDigits: exponent };
  const amount = new Intl.NumberFormat(locale, { style: "currency", currency, ...digits });
  const point = amount.formatToParts(1.5).find(({ type }) => type === "decimal")?.value ?? ".";
  return {
    entry: (minor) => plain(minor, exponent).replace(".", point), // as a cashier types it
    money: (minor) => amount.format(plain(minor, exponent)),
    quantity: (value, scale) =>
      new Intl.NumberFormat(locale, { minimumFractionDigits: scale, maximumFractionDigits: scale }).format(plain(value, scale)),
  };
}
