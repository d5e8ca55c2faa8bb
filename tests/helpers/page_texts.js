// What the tests ask of a page in a browser: every text, whether it is whole, and how it stands out.

function numbers(colour) { return colour.match(/[\d.]+/g).map(Number); }

// Relative luminance and contrast as WCAG 2 defines them.
function luminance(colour) {
  const linear = colour.slice(0, 3).map(v => v / 255).map(v => v <= 0.03928 ? v / 12.92 : ((v + 0.055) / 1.055) ** 2.4);
  return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2];
}

function contrast(one, other) {
  const [high, low] = [luminance(one), luminance(other)].sort((p, q) => q - p);
  return (high + 0.05) / (low + 0.05);
}

// The colour behind an element: that of the first around it that has one.
function behind(element) {
  for (let each = element; each; each = each.parentElement) {
    const colour = numbers(getComputedStyle(each).backgroundColor);
    if (colour.length === 3 || colour[3] === 1) return colour;
  }
  return [255, 255, 255];
}

// Pixels between a text and the ends of what shows it: the window, a box that scrolls, or a map, which clips.
function room(box, element) {
  const map = element.closest(".map"), roll = element.closest(".wide, .scroll");
  if (map) {
    const edge = map.getBoundingClientRect();
    return Math.min(box.left - edge.left, edge.right - box.right, box.top - edge.top, edge.bottom - box.bottom);
  }
  if (!roll) return Math.min(box.left, innerWidth - box.right);
  const from = roll.getBoundingClientRect().left - roll.scrollLeft;
  return Math.min(box.left - from, roll.scrollWidth - (box.right - from));
}

function texts() {
  const found = [], walk = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
  while (walk.nextNode()) {
    const element = walk.currentNode.parentElement, range = document.createRange();
    if (!walk.currentNode.data.trim() || element.closest("title, style")) continue;
    range.selectNodeContents(walk.currentNode);
    const box = range.getBoundingClientRect(), style = getComputedStyle(element), map = element.closest(".map");
    if (!box.width) continue;
    const colour = numbers(element.closest("svg") ? style.fill : style.color);
    const ground = map ? [...map.querySelectorAll(".sea, .land")].map(each => numbers(getComputedStyle(each).fill)) : [];
    const block = !element.closest("svg") && element.clientWidth && style.display !== "inline";
    found.push({
      text: walk.currentNode.data.trim().slice(0, 40),
      contrast: Math.min(...[behind(element), ...ground].map(each => contrast(colour, each))),
      size: parseFloat(style.fontSize) * (map ? map.getScreenCTM().a : 1),
      room: room(box, element),
      spill: block ? element.scrollWidth - element.clientWidth : 0,
    });
  }
  return found;
}

// The axes whose numbers run into each other.
function overlaps() {
  return [...document.querySelectorAll(".axis")].filter(axis => {
    const boxes = [...axis.querySelectorAll("text")].map(each => each.getBoundingClientRect()).filter(box => box.width);
    return boxes.slice(1).some((box, i) => box.left < boxes[i].right + 1);
  }).map(axis => axis.textContent);
}

function figure(name) {
  const chart = document.getElementById(name), box = chart.getBoundingClientRect();
  const marks = [...chart.querySelectorAll("circle, path[class^='f-'], path.hollow")];
  const sizes = marks.map(each => each.getBoundingClientRect());
  return {wide: box.width, tall: box.height, marks: sizes.filter(each => each.width > 2 && each.height > 2).length};
}
