// Streams: search and filter them, as a table or as cards.
import { Chakra, h, paths, React, useQuery, withQuery } from "../host.js";
import { at, useAnswer } from "../api.js";
import { Choice, Filters, Search } from "../parts/filters.js";
import { Done, useSaved } from "../parts/done.js";
import { Answer, Nothing, Notice, PageLink, Waiting } from "../parts/notice.js";
import { Page, Panel } from "../parts/page.js";
import { Seen, Unseen } from "../parts/seen.js";
import { BY_WEIGHT, State, TROUBLES } from "../parts/state.js";
import { DataTable, PAGE, Pages } from "../parts/table.js";
import { duration, fromNow, moment, named, nextTime, NOTHING, number, percent, plural, short } from "../words.js";
import { NewStream, worry } from "./overview.js";
import { Together, TogetherDone } from "./streams_together.js";

const REFRESH_SECONDS = 15;
// Retired streams are shown to those who ask for them, and there may be many.
const CURRENT = "current";
const ALL = "all";
const CHOICES = [[CURRENT, "State: not retired"], ...BY_WEIGHT.map((state) => [state, named(state)]), [ALL, "all, with retired"]];
const WORST_FIRST = "state";

/** Which status the list is asked for: none means any. */
function asked(status, state) {
  if (status === "all" || (!status && state === "retired")) return "";
  return status || CURRENT;
}

/** What a choice of the state is in the address. */
function chosen(value) {
  if (value === ALL) return { state: "", status: ALL };
  return { state: value === CURRENT ? "" : value, status: "" };
}

export function StreamList() {
  const [query, change] = useQuery();
  const { platform, q, status, state, sort = WORST_FIRST, offset = 0, view } = query;
  const shown = { platform, q, status: asked(status, state), state, sort };
  const answer = useAnswer(withQuery(at("streams"), { ...shown, limit: PAGE, offset }), REFRESH_SECONDS);
  const [done, setDone] = React.useState(null);
  const [saved, setSaved] = useSaved();
  const after = (result) => {
    setDone(result);
    answer.reload();
  };
  const platforms = useAnswer(at("platforms"));
  const me = useAnswer(at("me"));
  const choices = (platforms.data?.platforms ?? []).map((one) => [one.platform, one.name ?? one.platform]);
  return h(
    Page,
    { title: "Streams", section: "Streams", actions: h(NewStream, { allowed: me.data?.can_create }) },
    h(
      Filters,
      null,
      h(Search, { label: "Search streams", value: q, onChange: (text) => change({ q: text }) }),
      h(Choice, { label: "Platform", value: platform, options: choices, onChange: (value) => change({ platform: value }) }),
      h(Choice, { label: "State", value: state || (status === ALL ? ALL : CURRENT), any: false, options: CHOICES, onChange: (value) => change(chosen(value)) }),
      h(Choice, { label: "Show as", value: view ?? "table", any: false, options: [["table", "Table"], ["cards", "Cards"]], onChange: (value) => change({ view: value === "table" ? "" : value, offset }) }),
    ),
    saved ? h(Done, { result: saved, onClose: () => setSaved(null) }) : null,
    done ? h(TogetherDone, { done, onClose: () => setDone(null) }) : null,
    h(Answer, { answer, waiting: h(Waiting, { rows: 10 }) }, ({ total, streams, unknown }) =>
      h("div", null, h(Unread, { unknown }), h(Found, { total, streams, unknown, view, sort, offset: Number(offset), change, isFiltered: Boolean(platform || q || status || state), together: h(Together, { shown, streams, me: me.data, onDone: after }) })),
    ),
  );
}

/** Which platforms' streams are not in what is shown, as nobody can read them now. */
function Unread({ unknown }) {
  if (!unknown.length) return null;
  const title = `The streams of ${unknown.join(", ")} are unknown and not in this list`;
  return h(Notice, { status: "warning", title }, unknown.length === 1 ? "Its merge store cannot be read." : "Their merge stores cannot be read.");
}

function Found({ total, streams, unknown, view, sort, offset, change, isFiltered, together }) {
  if (!streams.length && !isFiltered && !unknown.length) {
    return h(Nothing, { title: "No stream yet" }, "dagfactory sync makes those of the model. Retired ones are shown to those who choose them above.");
  }
  if (!streams.length) {
    const title = unknown.length ? "No stream matches, of the platforms that can be read" : "No stream matches";
    return h(Nothing, { title }, "Change the filters, or create a stream.");
  }
  const list =
    view === "cards"
      ? h(Cards, { streams })
      : h(DataTable, {
          label: "Streams",
          columns: COLUMNS,
          rows: streams,
          keyOf: (one) => `${one.platform}/${one.stream_key}`,
          sort,
          onSort: (order) => change({ sort: order }),
        });
  return h(
    "div",
    null,
    h(
      Chakra.Flex,
      { align: "center", justify: "space-between", gap: 3, mb: 1, minH: "7" },
      h(Chakra.Text, { color: "fg.muted", fontSize: "xs", role: "status" }, plural(total, "stream")),
      together,
    ),
    list,
    h(Pages, { total, offset, count: streams.length, onOffset: (to) => change({ offset: to || "" }) }),
  );
}

const linked = (stream) => h(PageLink, { to: paths.stream(stream.platform, stream.stream_key), fontWeight: "medium", whiteSpace: "normal", overflowWrap: "anywhere", minW: { base: "24", md: "28", xl: "40" } }, stream.stream_key);

const ago = (time) => h("span", { title: time ? moment(time) : undefined }, fromNow(time));

const nextRun = ({ next_run: time }) => h("span", { title: time ? moment(time) : undefined }, nextTime(time));

function lastRun({ dag_id, last_run }) {
  if (!last_run) return NOTHING;
  return h(
    Chakra.HStack,
    { gap: 2, whiteSpace: "nowrap" },
    h(State, { state: last_run.state }),
    h(PageLink, { to: paths.run(dag_id, last_run.run_id) }, ago(last_run.end ?? last_run.start)),
  );
}

const stateOf = (one) =>
  h(Chakra.HStack, { gap: 1, wrap: "wrap" }, h(State, { state: one.state, title: one.problem ?? undefined }), h(Unseen, one));

function Fresh({ freshness }) {
  if (!freshness) return NOTHING;
  const need = freshness.latency_seconds ? ` / ${duration(freshness.latency_seconds)}` : "";
  return h(
    Chakra.Text,
    { as: "span", whiteSpace: "nowrap", color: freshness.met === false ? "red.fg" : "fg", fontWeight: freshness.met === false ? "semibold" : "normal" },
    duration(freshness.age_seconds),
    h(Chakra.Text, { as: "span", color: "fg.muted", fontWeight: "normal" }, need),
  );
}

function moved({ counts }) {
  if (!counts) return NOTHING;
  const text = `+${short(counts.inserted)} ~${short(counts.updated)} −${short(counts.deleted)}`;
  const spoken = `${number(counts.inserted)} inserted, ${number(counts.updated)} updated, ${number(counts.deleted)} deleted`;
  return h(Chakra.Text, { as: "span", whiteSpace: "nowrap", title: spoken }, text);
}

const COLUMNS = [
  { title: "Stream", sort: "stream_key", cell: linked },
  { title: "State", sort: "state", cell: stateOf },
  { title: "Platform", from: "md", cell: (one) => one.platform },
  { title: "Last run", from: "md", sort: "start", cell: lastRun },
  { title: "Success", from: "xl", end: true, cell: (one) => percent(one.success_rate) },
  { title: "Fresh / need", from: "sm", sort: "age", end: true, cell: (one) => h(Fresh, one) },
  { title: "Last batch", from: "xl", end: true, cell: moved },
  { title: "Rows", from: "xl", end: true, cell: (one) => short(one.counts?.total) },
  { title: "Schedule", from: "md", cell: (one) => h(Chakra.Text, { as: "span", fontFamily: "mono", fontSize: "xs", whiteSpace: "nowrap" }, one.schedule ?? NOTHING) },
  { title: "Next run", from: "md", sort: "next", cell: nextRun },
];

function Cards({ streams }) {
  return h(
    Chakra.Grid,
    { gap: 3, templateColumns: "repeat(auto-fill, minmax(min(280px, 100%), 1fr))" },
    streams.map((stream) => h(StreamCard, { key: `${stream.platform}/${stream.stream_key}`, stream })),
  );
}

function StreamCard({ stream }) {
  const line = (label, value) =>
    h(
      Chakra.Flex,
      { justify: "space-between", gap: 3, py: 0.5 },
      h(Chakra.Text, { color: "fg.muted" }, label),
      h(Chakra.Box, { textAlign: "end" }, value),
    );
  const troubled = TROUBLES.includes(stream.state);
  return h(
    Panel,
    { as: "article", title: stream.stream_key, tools: h(State, { state: stream.state }) },
    line("Platform", h(PageLink, { to: paths.stream(stream.platform, stream.stream_key), "aria-label": `${stream.stream_key} on ${stream.platform}` }, stream.platform)),
    stream.airflow.state === "stored" ? null : line("Seen by Airflow", h(Seen, stream)),
    line("Last run", lastRun(stream)),
    line("Success (25 runs)", percent(stream.success_rate)),
    line("Fresh / need", h(Fresh, stream)),
    line("Next run", nextRun(stream)),
    troubled ? h(Chakra.Text, { mt: 2, pt: 2, borderTopWidth: 1, fontSize: "xs", color: "red.fg", lineClamp: 3 }, worry(stream)) : null,
  );
}
