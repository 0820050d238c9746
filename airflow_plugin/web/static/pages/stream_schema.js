// The columns of a stream's datasets: types as modelled, in the source and in the merge table; keys, and who sees them.
import { Chakra, h } from "../host.js";
import { at, useAnswer } from "../api.js";
import { Answer, Nothing } from "../parts/notice.js";
import { Panel } from "../parts/page.js";
import { DataTable } from "../parts/table.js";
import { fromNow, NOTHING, plural } from "../words.js";

export function StreamSchema({ stream }) {
  const answer = useAnswer(at("streams", stream.platform, stream.stream_key, "schema"));
  return h(Answer, { answer }, (schema) =>
    schema.datasets.length
      ? h(
          Chakra.Stack,
          { gap: 4 },
          h(About, { schema }),
          schema.datasets.map((dataset) => h(Dataset, { key: dataset.name, dataset, schema })),
          schema.left_out ? h(Chakra.Text, { color: "fg.muted" }, `and ${plural(schema.left_out, "more dataset")}`) : null,
        )
      : h(Nothing, { title: "The config names no datasets" }),
  );
}

/** What is not known, and why. */
function About({ schema }) {
  const source = schema.source_seen_at
    ? `Types in the source are as they were ${fromNow(schema.source_seen_at)}.`
    : "Types in the source are unknown until somebody tests the connection.";
  const model = schema.is_modelled ? null : "Types, keys and classifications of the model are unknown: sync has recorded none of this stream, or the pages may not read it.";
  return h(Chakra.Text, { color: "fg.muted" }, [source, model].filter(Boolean).join(" "));
}

function Dataset({ dataset, schema }) {
  const there = dataset.columns.some((column) => column.merge_type !== null);
  return h(
    Panel,
    { title: dataset.name, tools: h(Chakra.Text, { color: "fg.muted", fontSize: "xs", wordBreak: "break-word" }, there ? dataset.merge_table : "no merge table yet") },
    dataset.columns.length
      ? h(DataTable, { label: `Columns of ${dataset.name}`, columns: columnsOf(dataset), rows: dataset.columns, keyOf: (column) => column.name })
      : h(Nothing, { title: schema.is_modelled ? "The model has no such dataset" : "Nothing is known of its columns yet" }),
    dataset.consumers?.length ? h(Views, { consumers: dataset.consumers }) : null,
  );
}

/** Where consumers read its current rows, as they write it in a query. */
const Views = ({ consumers }) =>
  h(
    Chakra.Text,
    { color: "fg.muted", mt: 2, wordBreak: "break-word" },
    "Views of its current rows: ",
    consumers.map(({ workspace, group, in_schema: place, view }, at) => [
      at ? ", " : "",
      h(Chakra.Code, { key: `${workspace}/${group}`, variant: "subtle", size: "sm", whiteSpace: "normal" }, `"${place}"."${view}"`),
      ` for ${workspace}/${group}`,
    ]),
  );

const columnsOf = (dataset) => [
  { title: "Column", cell: (column) => h(Named, { column }) },
  { title: "Type", cell: (column) => h(Type, { type: column.type }) },
  { title: "In the source", cell: (column) => h(Type, { type: column.source_type, beside: column.type }) },
  { title: "In the merge table", cell: (column) => h(Type, { type: column.merge_type, beside: column.type }) },
  { title: "NULL", cell: ({ nullable }) => (nullable === null ? NOTHING : nullable ? "allowed" : "no") },
  { title: "Classification", cell: ({ classification }) => classification ?? NOTHING },
  { title: "Seen by", cell: (column) => seenBy(dataset, column) },
];

function Named({ column }) {
  return h(
    Chakra.HStack,
    { gap: 2 },
    h(Chakra.Text, { as: "span", fontWeight: column.is_key ? "semibold" : "normal" }, column.name),
    column.is_key ? h(Chakra.Badge, { size: "sm" }, "key") : null,
  );
}

/** A type; one that is another than the one beside it stands out. */
function Type({ type, beside }) {
  if (type === null) return NOTHING;
  const differs = beside && beside !== type;
  return h(Chakra.Code, { variant: differs ? "surface" : "plain", colorPalette: differs ? "orange" : "gray", whiteSpace: "nowrap" }, type);
}

/** Who gets the column in views, and for whom it is NULL there; a column that the model does not have, nobody. */
function seenBy({ consumers }, column) {
  if (consumers === null || column.type === null) return NOTHING;
  const named = ({ workspace, group }) => `${workspace}/${group}`;
  const masked = consumers.filter((one) => one.masked.includes(column.name)).map(named);
  const seen = consumers.filter((one) => !one.masked.includes(column.name)).map(named);
  const parts = [seen.join(", "), masked.length ? `masked for ${masked.join(", ")}` : ""].filter(Boolean);
  return parts.length ? parts.join("; ") : "nobody";
}
