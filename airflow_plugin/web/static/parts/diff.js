// What changes from one config to another, key by key.
import { Chakra, h } from "../host.js";
import { shown } from "../words.js";
import { Nothing } from "./notice.js";

export function Changes({ changes }) {
  if (!changes.length) return h(Nothing, { title: "No changes" });
  const rows = changes.map(({ path, before, after }) =>
    h(
      Chakra.Table.Row,
      { key: path },
      h(Chakra.Table.Cell, { fontFamily: "mono", py: 1.5, overflowWrap: "anywhere" }, path),
      h(Side, { value: before, palette: "red", mark: "–" }),
      h(Side, { value: after, palette: "green", mark: "+" }),
    ),
  );
  return h(
    Chakra.Table.Root,
    { size: "sm", tableLayout: { base: "fixed", md: "auto" }, "aria-label": "Changes" },
    h(
      Chakra.Table.Header,
      null,
      h(
        Chakra.Table.Row,
        null,
        ["Key", "Before", "After"].map((title) =>
          h(Chakra.Table.ColumnHeader, { key: title, scope: "col", color: "fg.muted", fontSize: "xs" }, title),
        ),
      ),
    ),
    h(Chakra.Table.Body, null, rows),
  );
}

function Side({ value, palette, mark }) {
  const none = value === null || value === undefined;
  return h(
    Chakra.Table.Cell,
    { py: 1.5 },
    none
      ? h(Chakra.Text, { as: "span", color: "fg.muted" }, "not set")
      : h(
          Chakra.Code,
          { colorPalette: palette, variant: "subtle", whiteSpace: "pre-wrap", overflowWrap: "anywhere" },
          `${mark} ${shown(value)}`,
        ),
  );
}

/** The value of a key that a config has; `constructor` and the like are in every object. */
const own = (config, key) => (Object.hasOwn(config, key) ? config[key] : undefined);

/** What differs between two configs; lists and objects are one value each. */
export function changesBetween(before, after) {
  const keys = [...new Set([...Object.keys(before), ...Object.keys(after)])].sort();
  return keys
    .map((path) => ({ path, before: own(before, path), after: own(after, path) }))
    .filter((one) => JSON.stringify(one.before) !== JSON.stringify(one.after));
}
