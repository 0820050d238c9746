// Where a stream's rows come from and where they go: source, merge tables, views, consumers.
import { Chakra, h } from "../host.js";
import { useWidth } from "../charts/frame.js";
import { Panel } from "../parts/page.js";
import { number } from "../words.js";

const HEIGHT = 34;
const GAP = 8;
const WAY = 56;
const LEAST = 110;
const CHARACTER = 7.3;
const MOST = 60;
const TITLES = ["Source tables", "Merge tables", "Views", "Consumers"];

export function StreamLineage({ stream }) {
  const { lineage } = stream;
  return h(
    Panel,
    { title: `${lineage.source.store}${lineage.source.host ? ` at ${lineage.source.host}` : ""}` },
    h(Drawing, { columns: columnsOf(lineage).slice(0, lineage.views ? undefined : 2) }),
    lineage.views?.length ? null : h(Chakra.Text, { color: "fg.muted", mt: 2 }, withoutViews(lineage)),
  );
}

const withoutViews = ({ views }) =>
  views
    ? "No view reads these merge tables in this database."
    : "Views and consumers are unknown here: they are in the consumers' own database, which the pages do not read.";

/** Four columns of {name, to: [places in the next column]}; a view stands beside the merge table that it reads. */
export function columnsOf({ source, merge_tables: merges, views: known, consumers: reading }) {
  const [found, consumers] = [known ?? [], reading ?? []];
  const first = (view) => merges.findIndex((name) => view.reads.includes(name));
  const views = [...found].sort((one, other) => first(one) - first(other));
  const places = (list, test) => list.map((_, at) => at).filter((at) => test(list[at]));
  return [
    source.tables.map((name, at) => ({ name, to: [at] })),
    merges.map((name) => ({ name, to: places(views, (view) => view.reads.includes(name)) })),
    views.map(({ name, workspace, group }) => ({ name, to: places(consumers, (one) => one === `${workspace}/${group}`) })),
    consumers.map((name) => ({ name, to: [] })),
  ];
}

function Drawing({ columns }) {
  const [box, width] = useWidth();
  const cut = columns.map((nodes) => nodes.slice(0, MOST));
  const widths = columnWidths(cut, width - WAY * (columns.length - 1));
  const rows = Math.max(...cut.map((nodes) => nodes.length));
  const top = (nodes, at) => 24 + ((rows - nodes.length) * (HEIGHT + GAP)) / 2 + at * (HEIGHT + GAP);
  const left = (at) => widths.slice(0, at).reduce((sum, one) => sum + one + WAY, 0);
  const height = 24 + rows * (HEIGHT + GAP);
  const ways = cut.flatMap((nodes, at) =>
    nodes.flatMap((node, from) =>
      node.to
        .filter((to) => to < MOST)
        .map((to) => way(left(at) + widths[at], top(nodes, from) + HEIGHT / 2, left(at + 1), top(cut[at + 1], to) + HEIGHT / 2)),
    ),
  );
  return h(
    Chakra.Box,
    { ref: box, position: "relative", style: { height }, overflowX: "auto" },
    h(
      "svg",
      { width: Math.max(width, left(columns.length) - WAY), height, "aria-hidden": true, style: { position: "absolute" } },
      ways.map((d, at) => h("path", { key: at, d, fill: "none", stroke: "var(--chakra-colors-border-emphasized)", strokeWidth: 1.5 })),
    ),
    cut.map((nodes, at) => h(Column, { key: at, title: TITLES[at], nodes, all: columns[at].length, left: left(at), width: widths[at], top })),
  );
}

/** As wide as their names want to be; narrower or wider in proportion to fill what there is. */
function columnWidths(columns, room) {
  const wanted = columns.map((nodes) => Math.max(LEAST, ...nodes.map(({ name }) => name.length * CHARACTER + 20)));
  const sum = wanted.reduce((all, one) => all + one, 0);
  return wanted.map((one) => Math.max(LEAST, (one * room) / sum));
}

function way(x1, y1, x2, y2) {
  const middle = (x1 + x2) / 2;
  return `M${x1},${y1} C${middle},${y1} ${middle},${y2} ${x2},${y2}`;
}

function Column({ title, nodes, all, left, width, top }) {
  const boxes = nodes.map((node, at) =>
    h(
      Chakra.Box,
      {
        as: "li",
        key: `${node.name}-${at}`,
        position: "absolute",
        style: { left, top: top(nodes, at), width, height: HEIGHT },
        title: node.name,
        borderWidth: 1,
        borderRadius: "md",
        px: 2,
        fontFamily: "mono",
        fontSize: "xs",
        lineHeight: `${HEIGHT - 2}px`,
        whiteSpace: "nowrap",
        overflow: "hidden",
        textOverflow: "ellipsis",
      },
      node.name,
    ),
  );
  const label = `${title} (${number(all)}${all > nodes.length ? `, ${nodes.length} shown` : ""})`;
  return [
    h(Chakra.Text, { key: "title", position: "absolute", style: { left, top: 0, width }, color: "fg.muted", fontSize: "xs" }, label),
    h(Chakra.Box, { as: "ul", key: "nodes", listStyleType: "none", "aria-label": title }, boxes),
  ];
}
