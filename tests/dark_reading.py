"""How mail programs darken a message that they think has no dark mode, as scripts for a page in Chromium.

`THUNDERBIRD` follows the rules of Thunderbird 153: its canvas is dark, `prefers-color-scheme: dark` never matches, and
light backgrounds and dark text colours are removed from attributes, inline styles, and rules before the first at-rule.
`STRIPPED` is a rougher program: no background and no text colour is left at all.
"""

from __future__ import annotations

THUNDERBIRD = """
() => {
  const bright = 200, lowest = 3.5;
  const probe = document.createElement("i");
  const rgba = colour => {
    probe.style.color = "";
    probe.style.color = colour;
    document.body.append(probe);
    const found = getComputedStyle(probe).color.match(/[\\d.]+/g).map(Number);
    probe.remove();
    return found.length > 3 ? found : [...found, 1];
  };
  const luminance = colour => {
    if (!colour) return 0;
    const [r, g, b] = rgba(colour);
    return 0.2125 * r + 0.7154 * g + 0.0721 * b;
  };
  const contrast = (one, other) => {
    const [low, high] = [luminance(one), luminance(other)].sort((a, b) => a - b);
    return (high + 0.05) / (low + 0.05);
  };
  const clean = style => {
    if (style.backgroundImage && style.backgroundImage !== "none") style.removeProperty("background-image");
    const ground = style.backgroundColor;
    if (!ground || rgba(ground)[3] <= 0.2) {
      if (style.color && luminance(style.color) <= bright) style.removeProperty("color");
      return;
    }
    if (luminance(ground) > bright || (style.color && contrast(style.color, ground) < lowest)) {
      style.removeProperty("background-color");
      style.removeProperty("background");
      if (style.color && luminance(style.color) <= bright) style.removeProperty("color");
    }
  };
  for (const sheet of document.styleSheets) {
    for (const rule of sheet.cssRules) {
      if (!rule.style) break;
      clean(rule.style);
    }
  }
  for (const name of ["bgcolor", "text", "link", "vlink"]) document.body.removeAttribute(name);
  for (const name of ["background-color", "color"]) document.body.style.removeProperty(name);
  for (const node of document.querySelectorAll("[style],[bgcolor],[color]")) {
    node.removeAttribute("bgcolor");
    node.removeAttribute("color");
    clean(node.style);
  }
  const canvas = document.createElement("style");
  canvas.textContent =
    ":root{color-scheme:dark}html{background:#1b1b1f;color:#fbfbfe}a:link,a:visited{color:#58c9ff}";
  document.head.prepend(canvas);
}
"""
STRIPPED = """
() => {
  for (const node of document.querySelectorAll("style")) node.remove();
  for (const node of document.querySelectorAll("*")) {
    node.removeAttribute("bgcolor");
    for (const name of ["background", "background-color", "color"]) node.style.removeProperty(name);
  }
  document.documentElement.style.cssText = "background:#1b1b1f;color:#fbfbfe";
}
"""
LOOK = """
([selector, kind]) => {
  const canvas = [27, 27, 31];
  const parse = colour => {
    const found = colour.match(/[\\d.]+/g).map(Number);
    return found.length > 3 ? found : [...found, 1];
  };
  const linear = value => (value /= 255) <= 0.04045 ? value / 12.92 : ((value + 0.055) / 1.055) ** 2.4;
  const luminance = ([r, g, b]) => 0.2126 * linear(r) + 0.7152 * linear(g) + 0.0722 * linear(b);
  const ratio = (one, other) => {
    const [low, high] = [luminance(one), luminance(other)].sort((a, b) => a - b);
    return (high + 0.05) / (low + 0.05);
  };
  const ground = node => {
    for (let at = node; at; at = at.parentElement) {
      const colour = parse(getComputedStyle(at).backgroundColor);
      if (colour[3] > 0.5) return colour;
    }
    return canvas;
  };
  return [...document.querySelectorAll(selector)].map(node => {
    const style = getComputedStyle(node), box = node.getBoundingClientRect();
    const behind = kind === "text" ? ground(node) : ground(node.parentElement);
    const border = parseFloat(style.borderTopWidth);
    const inks = kind === "text" ? [style.color]
      : kind === "line" ? (border >= 1 ? [style.borderTopColor] : [])
      : [style.backgroundColor, ...(border >= 2 ? [style.borderTopColor] : [])];
    const seen = inks.map(parse).filter(ink => ink[3] > 0.5).map(ink => ratio(ink, behind));
    const text = node.textContent.trim().slice(0, 40);
    return {text, width: box.width, height: box.height, contrast: Math.max(1, ...seen)};
  });
}
"""
"""Returns for each element of a selector its text, its size in CSS pixels, and the contrast in which it is seen.

The kind is `text`, `bar` (the background, or a border of at least 2 pixels at the top) or `line` (any such border).
"""
