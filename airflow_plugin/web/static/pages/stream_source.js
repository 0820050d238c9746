// A stream's source as it was looked at last: what stops its batches, what may, and how changes are found.
import { Chakra, h, React } from "../host.js";
import { at, useAnswer } from "../api.js";
import { Answer, Nothing } from "../parts/notice.js";
import { Panel } from "../parts/page.js";
import { DataTable } from "../parts/table.js";
import { fromNow, moment, NOTHING, plural } from "../words.js";
import { CHECK_SOURCE, Question } from "./actions.js";

const REFRESH_SECONDS = 5;
const COLOURS = { error: "red", warning: "orange", note: "gray" };

export function StreamSource({ stream, onDone }) {
  const answer = useAnswer(at("streams", stream.platform, stream.stream_key, "source"), REFRESH_SECONDS);
  const test = h(TestConnection, { stream, onDone });
  return h(Answer, { answer }, (look) =>
    look.checked_at
      ? h(Chakra.Stack, { gap: 3 }, h(Findings, { look, test }), h(Datasets, { look }))
      : h(Nothing, { title: "Nobody has looked at this source yet" }, h(Chakra.Stack, { gap: 2, align: "center" }, stream.can_edit ? "Test the connection to see whether a batch can read it." : null, test)),
  );
}

function TestConnection({ stream, onDone }) {
  const [asked, setAsked] = React.useState(false);
  if (!stream.actions.includes(CHECK_SOURCE.name)) return null;
  return [
    h(Chakra.Button, { key: "test", size: "xs", variant: "outline", onClick: () => setAsked(true) }, CHECK_SOURCE.label),
    asked ? h(Question, { key: "ask", card: stream, action: CHECK_SOURCE, onDone, onClose: () => setAsked(false) }) : null,
  ];
}

function Findings({ look, test }) {
  const found = look.findings.map((one, index) => h(Finding, { key: index, one }));
  const more = look.left_out ? h(Chakra.Text, { color: "fg.muted" }, `and ${plural(look.left_out, "more finding")}, which are not kept`) : null;
  const when = h(Chakra.Text, { color: "fg.muted", title: moment(look.checked_at) }, `Looked at ${fromNow(look.checked_at)}.`);
  return h(
    Panel,
    { title: `${look.source}: ${inWords(look)}`, tools: test },
    when,
    found.length ? h(Chakra.Stack, { as: "ul", gap: 3, mt: 3, listStyleType: "none" }, found, more) : null,
  );
}

function inWords({ findings }) {
  const count = (level) => findings.filter((one) => one.level === level).length;
  if (count("error")) return `${plural(count("error"), "finding")} that stop${count("error") === 1 ? "s" : ""} batches`;
  return count("warning") ? `it can be read; ${plural(count("warning"), "warning")}` : "it can be read";
}

const Finding = ({ one }) =>
  h(
    Chakra.Box,
    { as: "li" },
    h(
      Chakra.HStack,
      { gap: 2, align: "baseline", wrap: "wrap" },
      h(Chakra.Badge, { colorPalette: COLOURS[one.level] }, one.level),
      one.dataset ? h(Chakra.Code, { variant: "subtle" }, one.dataset) : null,
      h(Chakra.Text, { as: "span", wordBreak: "break-word" }, one.what),
    ),
    h(Chakra.Text, { color: "fg.muted", fontSize: "sm", wordBreak: "break-word" }, `${one.todo} [${one.code}]`),
  );

function Datasets({ look }) {
  if (!look.datasets.length) return null;
  const columns = [
    { title: "Dataset", cell: (row) => row.name },
    { title: "Table", cell: (row) => row.table },
    { title: "Changes are found by", cell: (row) => h(Chakra.Code, { variant: "subtle" }, row.strategy) },
    { title: "Why not cheaper", cell: (row) => row.why || NOTHING },
  ];
  return h(Panel, { title: "Datasets that can be read" }, h(DataTable, { label: "Datasets that can be read", columns, rows: look.datasets, keyOf: (row) => row.name }));
}
