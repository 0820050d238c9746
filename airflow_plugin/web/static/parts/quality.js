// What quality checks have found: of one run, or of a stream over its batches.
import { Chakra, h } from "../host.js";
import { named, number, plural } from "../words.js";
import { State } from "./state.js";
import { DataTable } from "./table.js";

/** How many rows break a check; of a row count whether it is broken. */
export function broken(check) {
  if (!check.violations) return "none";
  return check.kind === "row_count" ? "not as demanded" : plural(check.violations, "row");
}

/** The words of a check in a sentence: `customers: email_is_set (not null): 3 rows`. */
export const finding = (check) => `${check.dataset}: ${check.check} (${named(check.kind)}): ${broken(check)}`;

export const COLUMNS = [
  { title: "Check", cell: (one) => h(Chakra.Text, { as: "span", fontWeight: "medium" }, one.check) },
  { title: "Dataset", cell: (one) => one.dataset },
  { title: "Kind", cell: (one) => named(one.kind) },
  { title: "Severity", cell: (one) => one.severity },
];

export const keyOf = (one) => JSON.stringify([one.dataset, one.check]);

/** The checks of one run. */
export function Checks({ checks }) {
  const columns = [
    ...COLUMNS,
    { title: "State", cell: (one) => h(State, { state: stateOf(one) }) },
    { title: "Rows that break it", end: true, cell: (one) => (one.kind === "row_count" ? "" : number(one.violations)) },
  ];
  return h(DataTable, { label: "Quality checks", columns, rows: checks, keyOf });
}

/** What came of a check: `passed`, or what its severity makes of it. */
export const stateOf = (check) => (check.violations ? (check.severity === "fail" ? "failed" : "warning") : "passed");
