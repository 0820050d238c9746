// What a batch changed: keys of each kind and updated columns; for those who may see data, some keys with their values.
import { Chakra, h, React } from "../host.js";
import { at, useAnswer } from "../api.js";
import { AskToPost } from "../parts/ask.js";
import { Done } from "../parts/done.js";
import { Answer, Nothing } from "../parts/notice.js";
import { Panel } from "../parts/page.js";
import { DataTable } from "../parts/table.js";
import { capital, NOTHING, number, plural } from "../words.js";
import { Reason } from "./actions.js";

const KINDS = ["inserted", "updated", "deleted"];
const KEYS = 5; // of each kind that are asked for
const NOTHING_KNOWN = "Nothing is known of it yet";

export function BatchChanges({ platform, streamKey, batchId }) {
  const stream = at("streams", platform, streamKey);
  const path = `${stream}/batches/${at(batchId)}`;
  const answer = useAnswer(`${path}/changes`);
  const [asked, setAsked] = React.useState(null);
  const [request, setRequest] = React.useState(null);
  const [values, setValues] = React.useState(null);
  const shared = { path, stream, batchId, onClose: () => setAsked(null) };
  return h(
    Panel,
    { title: `What changed in batch ${batchId}`, tools: answer.data ? h(Buttons, { changes: answer.data, onChoose: setAsked }) : null },
    request ? h(Done, { key: request.run_id, result: request, path: stream, onEnd: answer.reload, onClose: () => setRequest(null) }) : null,
    h(Answer, { answer }, (changes) => h(Numbers, { changes })),
    values ? h(Values, { values }) : null,
    asked === "see" ? h(See, { ...shared, onDone: setValues }) : null,
    asked === "look" || asked === "get" ? h(Look, { ...shared, keys: asked === "get" ? KEYS : 0, onDone: setRequest }) : null,
  );
}

/** A job looks at the versions of a forensic stream; what it found of values is shown to who says so in the history. */
function Buttons({ changes, onChoose }) {
  const known = changes.datasets.some(({ inserted }) => inserted !== null);
  const button = (name, label) => h(Chakra.Button, { key: name, size: "xs", variant: "outline", onClick: () => onChoose(name) }, label);
  return h(
    Chakra.HStack,
    { gap: 2, wrap: "wrap" },
    changes.may_ask && !known ? button("look", "Find out") : null,
    changes.may_see_values && changes.has_values ? button("see", "Show values") : null,
    changes.may_see_values && changes.may_ask && !changes.has_values ? button("get", "Get values") : null,
  );
}

function Numbers({ changes }) {
  const unknown = changes.datasets.filter(({ inserted }) => inserted === null);
  const known = changes.datasets.filter(({ inserted }) => inserted !== null);
  return h(
    Chakra.Stack,
    { gap: 3 },
    known.length ? h(DataTable, { label: "Changed keys per dataset", columns: COLUMNS, rows: known, keyOf: (row) => row.name }) : null,
    unknown.length ? h(Unknown, { datasets: unknown, all: !known.length }) : null,
    changes.left_out ? h(Chakra.Text, { color: "fg.muted" }, `and ${plural(changes.left_out, "more dataset")}`) : null,
  );
}

const COLUMNS = [
  { title: "Dataset", cell: (row) => h(Chakra.Text, { as: "span", fontWeight: "medium" }, row.name) },
  ...KINDS.map((kind) => ({ title: capital(kind), end: true, cell: (row) => number(row[kind]) })),
  { title: "Updated in", cell: (row) => h(Columns, { columns: row.updated_columns }) },
];

const Columns = ({ columns }) =>
  columns.length
    ? h(Chakra.Text, { as: "span", whiteSpace: "normal", wordBreak: "break-word" }, columns.map(({ name, rows }) => `${name}: ${number(rows)}`).join(", "))
    : NOTHING;

/** Datasets of which nothing is known, once for each reason. */
function Unknown({ datasets, all }) {
  const reasons = new Map();
  for (const { name, why, todo } of datasets) {
    const said = why ? `${capital(why)}. ${todo}.` : `${NOTHING_KNOWN}.`;
    reasons.set(said, [...(reasons.get(said) ?? []), name]);
  }
  if (all && reasons.size === 1) return h(Nothing, { title: [...reasons.keys()][0] });
  return [...reasons].map(([said, named]) =>
    h(Chakra.Text, { key: said, color: "fg.muted", wordBreak: "break-word" }, h(Chakra.Text, { as: "span", fontWeight: "medium", color: "fg" }, named.join(", ")), `: ${said}`),
  );
}

function Look({ stream, batchId, keys, onDone, onClose }) {
  const [reason, setReason] = React.useState("");
  const what = keys
    ? `Has a job read what batch ${batchId} changed, with some of the keys and their values. Those who may see data can look at the values for an hour. The history records that you asked.`
    : `Has a job count what batch ${batchId} changed. It reads the versions that the batch closed and opened, and no batch waits for it.`;
  return h(
    AskToPost,
    {
      title: keys ? "Get values?" : "Find out what changed?",
      yes: keys ? "Get values" : "Find out",
      path: `${stream}/actions/show_changes`,
      body: { changes: { batch: batchId, keys }, ...said(reason) },
      onDone: (result) => {
        onClose();
        onDone(result);
      },
      onClose,
    },
    what,
    keys ? h(Reason, { value: reason, onChange: setReason }) : null,
  );
}

function See({ path, batchId, onDone, onClose }) {
  const [reason, setReason] = React.useState("");
  return h(
    AskToPost,
    {
      title: "Show values?",
      yes: "Show values",
      path: `${path}/values`,
      body: said(reason),
      onDone: (found) => {
        onClose();
        onDone(found);
      },
      onClose,
    },
    `Shows some of the keys that batch ${batchId} changed, with their values before and after. The history records that you looked.`,
    h(Reason, { value: reason, onChange: setReason }),
  );
}

const said = (reason) => (reason.trim() ? { reason: reason.trim() } : {});

function Values({ values }) {
  return h(
    Chakra.Stack,
    { gap: 3, mt: 3 },
    values.is_modelled ? null : h(Chakra.Text, { color: "fg.muted" }, "All values are hidden: sync has recorded no model of this stream, so nobody knows which of them are PII."),
    values.datasets.map(({ name, keys }) =>
      h(
        Chakra.Box,
        { key: name },
        h(Chakra.Heading, { as: "h3", size: "xs", mb: 1 }, `${name}: ${plural(keys.length, "key")}`),
        h(DataTable, { label: `Changed keys of ${name}`, columns: VALUE_COLUMNS, rows: keys.map((one, at) => ({ ...one, at })), keyOf: (row) => row.at }),
      ),
    ),
  );
}

const VALUE_COLUMNS = [
  { title: "Change", cell: (row) => row.change },
  { title: "Key", cell: ({ key }) => h(Words, null, key ? key.map(({ column, value }) => `${column}=${value}`).join(", ") : "hidden") },
  { title: "Values", cell: (row) => h(Words, null, valuesOf(row).join(", ") || NOTHING) },
];

/** Without the key's own, which stand before them. */
function valuesOf({ key, values, hidden, change }) {
  const own = new Set((key ?? []).map(({ column }) => column));
  return [...values.filter(({ column }) => !own.has(column)).map((one) => inWords(one, change)), ...hidden.map((name) => `${name} (hidden)`)];
}

const Words = ({ children }) => h(Chakra.Text, { as: "span", whiteSpace: "normal", wordBreak: "break-word" }, children);

const text = (value) => (value === null ? "NULL" : value);

function inWords({ column, old, new: after }, change) {
  if (change === "inserted") return `${column}=${text(after)}`;
  if (change === "deleted") return `${column}=${text(old)}`;
  return `${column}: ${text(old)} → ${text(after)}`;
}
