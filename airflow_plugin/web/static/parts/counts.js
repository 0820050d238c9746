// Counts of rows per dataset, with how the delta was found and why so.
import { Chakra, h } from "../host.js";
import { capital, NOTHING, number } from "../words.js";
import { Nothing } from "./notice.js";
import { DataTable } from "./table.js";

const KINDS = ["inserted", "updated", "deleted", "unchanged", "total"];

const PART = h(
  Chakra.Text,
  { key: "part", as: "span", color: "fg.muted", title: "The total is that of the merge table: only a part of the source was read" },
  " a part",
);

const COLUMNS = [
  { title: "Dataset", cell: (one) => h(Chakra.Text, { as: "span", fontWeight: "medium" }, one.name) },
  ...KINDS.map((kind) => ({ title: capital(kind), end: true, cell: (one) => number(one[kind]) })),
  { title: "Strategy", cell: (one) => (one.strategy ? [h(Chakra.Code, { key: "how", variant: "subtle" }, one.strategy), one.partly_read ? PART : null] : NOTHING) },
  { title: "Why", cell: (one) => h(Chakra.Text, { as: "span", color: "fg.muted" }, one.why || NOTHING) },
];

/** `none` says why there are no counts. */
export function DatasetCounts({ datasets, none = "No counts: nothing was merged" }) {
  if (!datasets?.length) return h(Nothing, { title: none });
  return h(DataTable, { label: "Counts per dataset", columns: COLUMNS, rows: datasets, keyOf: (one) => one.name });
}
