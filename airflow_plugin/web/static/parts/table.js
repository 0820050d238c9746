// A table whose columns may be sorted, and the way through its pages.
import { Chakra, h } from "../host.js";
import { number } from "../words.js";

export const PAGE = 50;

/**
 * `columns` are {title, cell(row), sort?, end?}; `sort` and `onSort` name the order, `-start` is descending.
 * Numbers stand at the end of their cell. A column with `from`, a width of Chakra's, is left out of narrower windows.
 */
export function DataTable({ label, columns, rows, keyOf, sort, onSort }) {
  const heads = columns.map((column) => h(Head, { key: column.title, column, sort, onSort }));
  const lines = rows.map((row) =>
    h(
      Chakra.Table.Row,
      { key: keyOf(row), _hover: { bg: "bg.muted" } },
      columns.map((column) =>
        h(
          Chakra.Table.Cell,
          { key: column.title, hideBelow: column.from, textAlign: column.end ? "end" : "start", fontVariantNumeric: "tabular-nums", py: 1.5 },
          column.cell(row),
        ),
      ),
    ),
  );
  return h(
    Chakra.Table.ScrollArea,
    { tabIndex: 0, role: "region", "aria-label": label },
    h(
      Chakra.Table.Root,
      { size: "sm", "aria-label": label },
      h(Chakra.Table.Header, null, h(Chakra.Table.Row, null, heads)),
      h(Chakra.Table.Body, null, lines),
    ),
  );
}

function Head({ column, sort = "", onSort }) {
  const down = sort === `-${column.sort}`;
  const here = down || sort === column.sort;
  const order = here ? (down ? "descending" : "ascending") : "none";
  const style = { hideBelow: column.from, textAlign: column.end ? "end" : "start", color: "fg.muted", fontSize: "xs", whiteSpace: "nowrap" };
  if (!column.sort || !onSort) return h(Chakra.Table.ColumnHeader, { ...style, scope: "col" }, column.title);
  const arrow = here ? (down ? " ↓" : " ↑") : "";
  return h(
    Chakra.Table.ColumnHeader,
    { ...style, scope: "col", "aria-sort": order },
    h(
      Chakra.Button,
      {
        variant: "plain",
        size: "xs",
        p: 0,
        h: "auto",
        fontWeight: here ? "bold" : "medium",
        color: here ? "fg" : "fg.muted",
        onClick: () => onSort(here && down ? column.sort : `-${column.sort}`),
      },
      `${column.title}${arrow}`,
    ),
  );
}

export function Pages({ total, offset, count, onOffset }) {
  if (total <= count && offset === 0) return null;
  const step = (to, label, disabled) =>
    h(Chakra.Button, { size: "xs", variant: "outline", disabled, onClick: () => onOffset(to) }, label);
  return h(
    Chakra.HStack,
    { justify: "flex-end", mt: 3, as: "nav", "aria-label": "Pages" },
    h(Chakra.Text, { color: "fg.muted" }, `${number(offset + 1)}–${number(offset + count)} of ${number(total)}`),
    step(Math.max(0, offset - PAGE), "Previous", offset === 0),
    step(offset + count, "Next", offset + count >= total),
  );
}
