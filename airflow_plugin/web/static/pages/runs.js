// Runs of all streams: filter, sort, page through.
import { Chakra, h, paths, useQuery, withQuery } from "../host.js";
import { at, useAnswer } from "../api.js";
import { Choice, Filters, Search } from "../parts/filters.js";
import { Answer, Nothing, Notice, PageLink, Waiting } from "../parts/notice.js";
import { Page } from "../parts/page.js";
import { State } from "../parts/state.js";
import { DataTable, PAGE, Pages } from "../parts/table.js";
import { fromNow, lasted, moment, NOTHING, number, plural } from "../words.js";

const REFRESH_SECONDS = 10;
const RUN_STATES = ["queued", "running", "success", "failed"];

export function Runs() {
  const [query, change] = useQuery();
  const { platform, q, state, sort = "-start", offset = 0 } = query;
  const answer = useAnswer(withQuery(at("runs"), { platform, q, state, sort, limit: PAGE, offset }), REFRESH_SECONDS);
  const platforms = useAnswer(at("platforms"), REFRESH_SECONDS);
  const choices = (platforms.data?.platforms ?? []).map((one) => [one.platform, one.name ?? one.platform]);
  return h(
    Page,
    { title: "Runs", section: "Runs" },
    h(
      Filters,
      null,
      h(Search, { label: "Search streams", value: q, onChange: (text) => change({ q: text }) }),
      h(Choice, { label: "Platform", value: platform, options: choices, onChange: (value) => change({ platform: value }) }),
      h(Choice, { label: "State", value: state, options: RUN_STATES.map((one) => [one, one]), onChange: (value) => change({ state: value }) }),
    ),
    h(Unread, { platforms: platforms.data?.platforms ?? [], asked: platform }),
    h(Answer, { answer, waiting: h(Waiting, { rows: 10 }) }, ({ total, runs }) =>
      runs.length
        ? h(
            "div",
            null,
            h(Chakra.Text, { color: "fg.muted", fontSize: "xs", mb: 1, role: "status" }, plural(total, "run")),
            h(DataTable, { label: "Runs", columns: COLUMNS, rows: runs, keyOf: (run) => `${run.dag_id}/${run.run_id}`, sort, onSort: (order) => change({ sort: order }) }),
            h(Pages, { total, offset: Number(offset), count: runs.length, onOffset: (to) => change({ offset: to || "" }) }),
          )
        : h(Nothing, { title: "No run matches" }, "Change the filters, or trigger a stream."),
    ),
  );
}

/** Airflow has the runs, and the merge store what they did: of which platforms that cannot be read now. */
function Unread({ platforms, asked }) {
  const away = platforms.filter(({ platform, database }) => !database.ok && (!asked || platform === asked));
  if (!away.length) return null;
  const title = `What runs of ${away.map(({ platform, name }) => name ?? platform).join(", ")} did is unknown`;
  return h(Notice, { status: "warning", title }, away.length === 1 ? "Its merge store cannot be read." : "Their merge stores cannot be read.");
}

/** The result in a word, and why it is no good one. */
function Outcome({ run }) {
  const isOver = ["success", "failed"].includes(run.state);
  const word = run.result && isOver ? h(State, { state: run.result }) : null;
  if (!run.error) return word ?? NOTHING;
  const what = isOver ? run.error.what : `Its last try failed: ${run.error.what}`;
  return h(
    Chakra.Box,
    { maxW: "48ch", minW: { base: "16ch", md: "24ch" } },
    word,
    h(Chakra.Text, { fontSize: "xs", lineClamp: 2, title: what, wordBreak: "break-word" }, what),
  );
}

const count = (kind) => (run) => number(run.counts?.[kind]);

const COLUMNS = [
  {
    title: "Started",
    sort: "start",
    cell: (run) =>
      h(PageLink, { to: paths.run(run.dag_id, run.run_id), title: moment(run.start), whiteSpace: "nowrap" }, run.start ? fromNow(run.start) : "not yet"),
  },
  { title: "Stream", cell: (run) => h(PageLink, { to: paths.stream(run.platform, run.stream_key), whiteSpace: "normal", overflowWrap: "anywhere", minW: "24" }, run.stream_key) },
  { title: "State", cell: (run) => h(State, { state: run.state }) },
  { title: "Result", cell: (run) => h(Outcome, { run }) },
  { title: "Platform", from: "xl", cell: (run) => run.platform },
  { title: "Duration", from: "md", sort: "duration", end: true, cell: lasted },
  { title: "Inserted", from: "md", end: true, cell: count("inserted") },
  { title: "Updated", from: "md", end: true, cell: count("updated") },
  { title: "Deleted", from: "md", end: true, cell: count("deleted") },
  { title: "Rows", from: "md", end: true, cell: count("total") },
  { title: "Type", from: "xl", cell: (run) => run.run_type },
];
