// Bars of stacked amounts, and single amounts as bars; one bar for each item.
import { h } from "../host.js";
import { number, short } from "../words.js";
import { Frame } from "./frame.js";

export const KINDS = [
  { name: "inserted", color: "var(--chakra-colors-green-500)" },
  { name: "updated", color: "var(--chakra-colors-blue-500)" },
  { name: "deleted", color: "var(--chakra-colors-red-500)" },
];
const WIDEST = 28;
const FAILED = "var(--chakra-colors-red-500)";
const PLAIN = "var(--chakra-colors-brand-solid)";

const moved = (item) => KINDS.reduce((sum, { name }) => sum + (item[name] ?? 0), 0);

/** Inserted, updated and deleted of each item, stacked. */
export function MovedBars({ items, label, titleOf, summary, height }) {
  const draw = (item, x, width, y) => {
    let below = 0;
    return KINDS.map(({ name, color }) => {
      const value = item[name] ?? 0;
      const at = { from: below, to: (below += value) };
      return h(Bar, { key: name, x, width, top: y(at.to), bottom: y(at.from), fill: color });
    });
  };
  const tell = (item) => [
    h("strong", { key: "title" }, titleOf(item)),
    ...KINDS.map(({ name }) => h("div", { key: name }, `${name} ${number(item[name])}`)),
  ];
  return h(Frame, { items, amounts: items.map(moved), whole: true, label, format: short, draw, tell, summary, height });
}

/** One amount of each item; an item that `failed` is red. */
export function PlainBars({ items, value, failed = () => false, format, label, titleOf, summary, height }) {
  const draw = (item, x, width, y, bottom) =>
    h(Bar, { x, width, top: y(value(item) ?? 0), bottom, fill: failed(item) ? FAILED : PLAIN });
  const tell = (item) => [
    h("strong", { key: "title" }, titleOf(item)),
    h("div", { key: "value" }, failed(item) ? `${format(value(item))}, failed` : format(value(item))),
  ];
  return h(Frame, { items, amounts: items.map((item) => value(item) ?? 0), label, format, draw, tell, summary, height });
}

function Bar({ x, width, top, bottom, fill }) {
  const gap = Math.min(3, width * 0.25);
  // What is there is seen, however little it is beside the rest.
  const tall = bottom > top ? Math.max(1, bottom - top) : 0;
  const wide = Math.max(1, Math.min(width - gap, WIDEST));
  return h("rect", { x: x + (width - wide) / 2, y: bottom - tall, width: wide, height: tall, fill });
}
