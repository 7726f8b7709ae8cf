// Card numbers that are typed by mistake go no further than the field: neither into the basket nor onto a receipt.
// The till masks in the same way what other terminals send.

const RUN = /(?<![0-9])[0-9](?:[ -]?[0-9]){12,18}(?![0-9])/g;
const VISIBLE = 4;

function passesLuhn(digits) {
  const values = [...digits].reverse().map((digit, index) => (index % 2 ? Number(digit) * 2 : Number(digit)));
  return values.reduce((sum, value) => sum + (value > 9 ? value - 9 : value), 0) % 10 === 0;
}

function hide(found) {
  const digits = found.replace(/[ -]/g, "");
  if (!passesLuhn(digits)) return found;
  let hidden = digits.length - VISIBLE;
  return found.replace(/[0-9]/g, (digit) => (hidden-- > 0 ? "*" : digit));
}

/** The text with all but the last four digits hidden in each run of 13 to 19 that could be a card number. */
export const mask = (text) => text.replace(RUN, hide);
