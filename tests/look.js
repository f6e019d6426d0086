// What is wrong with the page as it is drawn now: a list of sentences. test_report_browser.py
const wrong = [];
const name = (e) => `<${e.tagName} ${e.id} ${(e.textContent || "").trim().slice(0, 40)}>`;

const wide = document.documentElement;
if (wide.scrollWidth > wide.clientWidth) wrong.push(`the page is ${wide.scrollWidth} px wide`);

function inside(e, box) {
  const r = e.getBoundingClientRect();
  return r.left >= box.left - 2 && r.right <= box.right + 2 && r.top >= box.top - 2
    && r.bottom <= box.bottom + 2;
}

for (const svg of document.querySelectorAll("svg")) {
  const box = svg.getBoundingClientRect();
  if (!(box.width > 50 && box.height > 30)) wrong.push(`${name(svg)} is not drawn`);
  for (const e of svg.querySelectorAll("text, use, image, path")) {
    if (e.closest("defs, [clip-path]")) continue;
    if (!inside(e, box)) wrong.push(`${name(e)} is not inside its plot`);
  }
  for (const clipped of svg.querySelectorAll("use, image")) {
    if (!clipped.closest("defs") && !inside(clipped, box)) wrong.push(`${name(clipped)} is cut off`);
  }
  for (const axis of svg.querySelectorAll('[id*="matplotlib.axis_"]')) {
    const labels = [...axis.querySelectorAll('[id*="tick_"] text')]
      .map((e) => [e, e.getBoundingClientRect()]).filter(([, r]) => r.width);
    labels.slice(1).forEach(([e, r], i) => {
      const p = labels[i][1];
      const x = Math.min(r.right, p.right) - Math.max(r.left, p.left);
      const y = Math.min(r.bottom, p.bottom) - Math.max(r.top, p.top);
      if (x > 1 && y > 0.35 * r.height) wrong.push(`${name(e)} overlaps ${name(labels[i][0])}`);
    });
  }
}

// Contrast of text, as WCAG 2 counts it: 4.5 is enough for small text.
function shade(colour) {
  const [r, g, b] = colour.match(/[\d.]+/g).slice(0, 3).map((v) => v / 255)
    .map((v) => (v <= 0.03928 ? v / 12.92 : ((v + 0.055) / 1.055) ** 2.4));
  return 0.2126 * r + 0.7152 * g + 0.0722 * b;
}

function paper(e) {
  for (let at = e; at; at = at.parentElement) {
    const colour = getComputedStyle(at).backgroundColor;
    if (!/, 0\)$|transparent/.test(colour)) return shade(colour);
  }
  return 1;
}

for (const e of document.querySelectorAll("p, li, td, th, dt, dd, h2, h3, figcaption, a, summary, "
    + "small, pre, svg text")) {
  const style = getComputedStyle(e);
  const plot = e.closest("svg");
  if (plot && e.textContent.endsWith("%") && style.fontWeight > 500) continue; // on its bar
  const both = [shade(plot ? style.fill : style.color), paper(plot ? plot.parentElement : e)];
  const contrast = (Math.max(...both) + 0.05) / (Math.min(...both) + 0.05);
  if (contrast < 4.5) wrong.push(`${name(e)} has a contrast of ${contrast.toFixed(1)}`);
  const size = plot ? e.getBoundingClientRect().height : parseFloat(style.fontSize);
  if (size && size < 7.5) wrong.push(`${name(e)} is ${size.toFixed(1)} px high`);
}
return [...new Set(wrong)].slice(0, 30);
