// The frame of a chart: its width, a scale with round numbers, grid, axis texts and a box that describes one place.
import { Chakra, h, React } from "../host.js";

export const MARGIN = { top: 6, right: 6, bottom: 18, left: 44 };
const AXIS = { fontSize: "10px", fill: "var(--chakra-colors-fg-muted)" };
const TICKS = 4;
const DWARFS = 10; // times as much as all others

/** The width that is there, followed as it changes. */
export function useWidth() {
  const box = React.useRef(null);
  const [width, setWidth] = React.useState(0);
  React.useLayoutEffect(() => {
    const watch = new ResizeObserver(([entry]) => setWidth(Math.floor(entry.contentRect.width)));
    watch.observe(box.current);
    return () => watch.disconnect();
  }, []);
  return [box, width];
}

/** Round numbers from 0 to at least `most`; of what is counted, `whole` ones. */
export function ticks(most, whole = false) {
  if (!(most > 0)) return [0, 1];
  const rough = Math.max(most / TICKS, whole ? 1 : 0);
  const power = 10 ** Math.floor(Math.log10(rough));
  const step = [1, 2, 2.5, 5, 10].map((times) => times * power).find((one) => one >= rough);
  return Array.from({ length: Math.ceil(most / step) + 1 }, (_, at) => at * step);
}

/** How tall the scale has to be: one amount that dwarfs all others, as that of a first load, is cut off. */
export function scaleFor(amounts) {
  const [most = 0, next = 0] = [...amounts].sort((one, other) => other - one);
  return next > 0 && most > DWARFS * next ? next : most;
}

/**
 * A chart of `items`, one beside the other: `draw(item, x, width, y)` gives the marks of one, `label(item)` its text
 * below, `tell(item)` what the box says while it is pointed at. `amounts` are the sizes of the items; one that is cut
 * off has its size written on it. `summary` is for who cannot see it.
 */
export function Frame({ items, amounts, whole = false, height = 150, label, format, draw, tell, summary, over }) {
  const [box, width] = useWidth();
  const [here, setHere] = React.useState(null);
  const inner = Math.max(0, width - MARGIN.left - MARGIN.right);
  const scale = ticks(scaleFor(amounts), whole);
  const top = scale[scale.length - 1];
  const bottom = height - MARGIN.bottom;
  const y = (value) => bottom - (Math.min(value, top) / top) * (bottom - MARGIN.top);
  const slot = items.length ? inner / items.length : 0;
  const x = (at) => MARGIN.left + at * slot;
  const marks = items.map((item, at) =>
    h(
      "g",
      { key: at, onPointerEnter: () => setHere(at), onPointerLeave: () => setHere(null) },
      h("rect", { x: x(at), y: MARGIN.top, width: slot, height: bottom - MARGIN.top, fill: here === at ? "var(--chakra-colors-bg-emphasized)" : "transparent" }),
      draw(item, x(at), slot, y, bottom),
      amounts[at] > top ? h(Cut, { x: x(at), width: slot, text: format(amounts[at]) }) : null,
    ),
  );
  const drawing = h(
    "svg",
    { width, height, role: "img", "aria-label": summary, style: { display: "block" } },
    h(Grid, { scale, y, width, format }),
    marks,
    over ? over(items, x, slot, y) : null,
    h(Labels, { items, x, slot, label, height }),
  );
  const pointed = here !== null && items[here];
  return h(
    Chakra.Box,
    { ref: box, position: "relative", minH: `${height}px` },
    width ? drawing : null,
    pointed ? h(Tooltip, { at: x(here) + slot / 2, width }, tell(pointed)) : null,
  );
}

/** Marks a bar that goes on beyond the scale, with its size. */
function Cut({ x, width, text }) {
  const middle = x + width / 2;
  const half = Math.min(width, 34) / 2;
  const cut = MARGIN.top + 14;
  return [
    h("path", { key: "cut", d: `M ${middle - half} ${cut + 3} L ${middle + half} ${cut - 3}`, stroke: "var(--chakra-colors-bg)", strokeWidth: 4 }),
    h("text", { key: "size", x: Math.max(middle, MARGIN.left + 28), y: MARGIN.top + 9, textAnchor: "middle", style: { ...AXIS, fill: "var(--chakra-colors-fg)", stroke: "var(--chakra-colors-bg)", strokeWidth: 3, paintOrder: "stroke" } }, text),
  ];
}

function Grid({ scale, y, width, format }) {
  return scale.map((value) =>
    h(
      "g",
      { key: value },
      h("line", { x1: MARGIN.left, x2: width - MARGIN.right, y1: y(value), y2: y(value), stroke: "var(--chakra-colors-border)", strokeWidth: 1 }),
      h("text", { x: MARGIN.left - 6, y: y(value) + 3.5, textAnchor: "end", style: AXIS }, format(value)),
    ),
  );
}

function Labels({ items, x, slot, label, height }) {
  const every = Math.max(1, Math.ceil(56 / (slot || 1)));
  return items.map((item, at) =>
    at % every
      ? null
      : h("text", { key: at, x: x(at) + slot / 2, y: height - 4, textAnchor: "middle", style: AXIS }, label(item)),
  );
}

function Tooltip({ at, width, children }) {
  const side = at > width / 2 ? { right: `${width - at + 8}px` } : { left: `${at + 8}px` };
  return h(
    Chakra.Box,
    {
      position: "absolute",
      top: "4px",
      ...side,
      bg: "bg.panel",
      borderWidth: 1,
      borderRadius: "sm",
      shadow: "sm",
      px: 2,
      py: 1,
      fontSize: "xs",
      pointerEvents: "none",
      whiteSpace: "nowrap",
      zIndex: 1,
    },
    children,
  );
}

export function Legend({ series }) {
  return h(
    Chakra.HStack,
    { gap: 3, fontSize: "xs", color: "fg.muted" },
    series.map(({ name, color }) =>
      h(
        Chakra.HStack,
        { key: name, gap: 1 },
        h(Chakra.Box, { boxSize: "9px", borderRadius: "2px", style: { background: color }, "aria-hidden": true }),
        name,
      ),
    ),
  );
}
