// Texts whose contrast with what is behind them is too low by WCAG 2.2: below 4.5, or 3 where they are large.
() => {
  const parse = (text) => (text.match(/[\d.]+/g) ?? []).map(Number);
  const channel = (value) => value <= 0.04045 ? value / 12.92 : ((value + 0.055) / 1.055) ** 2.4;
  const luminance = ([r, g, b]) => 0.2126 * channel(r / 255) + 0.7152 * channel(g / 255) + 0.0722 * channel(b / 255);
  const over = (front, back, alpha) => front.slice(0, 3).map((value, index) => value * alpha + back[index] * (1 - alpha));
  const behind = (element) => {
    if (!element) return [255, 255, 255];
    const color = parse(getComputedStyle(element).backgroundColor);
    const alpha = color[3] ?? 1;
    return alpha === 1 ? color : over(color, behind(element.parentElement), alpha);
  };
  const found = [];
  const top = document.querySelector("dialog[open]") ?? document.body;
  for (const element of top.querySelectorAll("*")) {
    const own = [...element.childNodes].some((node) => node.nodeType === 3 && node.data.trim());
    if (!own || !element.checkVisibility() || element.closest(":disabled, .unseen, option, noscript")) continue;
    const style = getComputedStyle(element);
    let alpha = 1;
    for (let up = element; up; up = up.parentElement) alpha *= Number(getComputedStyle(up).opacity);
    const back = behind(element);
    const front = over(parse(style.color), back, alpha);
    const [light, dark] = [luminance(front), luminance(back)].sort((a, b) => b - a);
    const size = parseFloat(style.fontSize);
    const large = size >= 24 || (size >= 18.66 && Number(style.fontWeight) >= 700);
    const ratio = (light + 0.05) / (dark + 0.05);
    if (ratio < (large ? 3 : 4.5)) found.push(`${element.tagName} ${element.textContent.trim()}: ${ratio.toFixed(2)}`);
  }
  return found;
}
