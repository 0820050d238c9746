// Overview: how the platforms' streams are, what needs somebody, and how much was moved.
import { Chakra, h, paths, Router, withQuery } from "../host.js";
import { at, useAnswer } from "../api.js";
import { KINDS, MovedBars } from "../charts/bars.js";
import { Legend } from "../charts/frame.js";
import { StateShare } from "../charts/share.js";
import { Answer, Nothing, PageLink } from "../parts/notice.js";
import { Page, Panel } from "../parts/page.js";
import { State, TROUBLES } from "../parts/state.js";
import { capital, clock, duration, moment, number, plural } from "../words.js";

const OLD_SNAPSHOT_SECONDS = 900;
const REFRESH_SECONDS = 15;
const HOUR = 3_600_000; // milliseconds

export function Overview() {
  const answer = useAnswer(at("overview"), REFRESH_SECONDS);
  const me = useAnswer(at("me"));
  return h(
    Page,
    { title: "Streams", section: "Overview", actions: h(NewStream, { allowed: me.data?.can_create }) },
    h(Answer, { answer }, (overview) => h(Content, overview)),
  );
}

export function NewStream({ allowed }) {
  if (!allowed) return null;
  return h(Chakra.Button, { asChild: true, size: "sm", colorPalette: "brand" }, h(Router.Link, { to: paths.create }, "New stream"));
}

function Content({ platforms, moved, ...byState }) {
  if (!platforms.length) {
    return h(Nothing, { title: "No platform yet" }, "dagfactory bootstrap writes a platform's factory file and settings.");
  }
  const known = platforms.filter(({ streams }) => streams);
  const unread = platforms.filter(({ streams }) => !streams);
  const worries = TROUBLES.flatMap((state) => byState[state]);
  const all = known.reduce((sum, { streams }) => sum + TROUBLES.reduce((some, state) => some + streams[state], 0), 0);
  return h(
    Chakra.Stack,
    { gap: 4 },
    h(
      Chakra.Grid,
      { gap: 4, templateColumns: "repeat(auto-fit, minmax(min(320px, 100%), 1fr))" },
      platforms.map((platform) => h(PlatformPanel, { key: platform.platform, ...platform })),
    ),
    h(
      Panel,
      { title: "Rows moved in the last 24 hours", tools: h(Legend, { series: KINDS }) },
      h(Moved, { moved, known, unread }),
    ),
    h(
      Panel,
      { title: `Needs attention (${attention(all, known, unread)})` },
      h(Worries, { worries, unread }),
      worries.length < all ? h(More, { count: all - worries.length }) : null,
    ),
  );
}

const namesOf = (platforms) => platforms.map(({ platform, name }) => name ?? platform).join(", ");

/** How many streams need attention, as far as anybody knows. */
function attention(count, known, unread) {
  if (!unread.length) return number(count);
  return known.length ? `${number(count)}, and what is unknown of ${namesOf(unread)}` : "unknown";
}

function PlatformPanel({ platform, name, milestoning, database, snapshot, streams }) {
  return h(
    Panel,
    { title: name ?? platform, tools: milestoning ? h(Chakra.Badge, { variant: "outline", size: "sm" }, milestoning) : null },
    h(
      Chakra.Text,
      { mb: 2 },
      streams
        ? h(PageLink, { to: withQuery(paths.streams, { platform }), fontWeight: "semibold" }, plural(streams.total, "stream"))
        : "How many streams there are, and how they are, is unknown",
    ),
    streams ? h(StateShare, { platform, streams }) : null,
    h(Health, { database, snapshot }),
  );
}

function Health({ database, snapshot }) {
  const old = snapshot && snapshot.age_seconds > OLD_SNAPSHOT_SECONDS;
  return h(
    Chakra.Stack,
    { gap: 1, mt: 3, pt: 2, borderTopWidth: 1, fontSize: "xs" },
    h(
      Chakra.Flex,
      { justify: "space-between", gap: 3, wrap: "wrap" },
      h(Chakra.HStack, { gap: 1.5 }, h("span", null, "Merge store"), h(State, { state: database.ok ? "ok" : "failing" })),
      h(
        Chakra.Text,
        { color: old ? "red.fg" : "fg.muted", title: snapshot ? moment(snapshot.accepted_at) : undefined },
        snapshot ? `Snapshot ${duration(snapshot.age_seconds)} old` : "No snapshot yet",
      ),
    ),
    database.ok ? null : h(Chakra.Text, { color: "red.fg", overflowWrap: "anywhere" }, `${database.what}. ${database.todo ?? ""} [${database.code}]`),
  );
}

function Moved({ moved, known, unread }) {
  if (!known.length) return h(Nothing, { title: "Unknown: no merge store can be read" });
  const without = unread.length ? ` without ${namesOf(unread)}, of which it is unknown` : "";
  const hours = hourly(moved);
  const total = hours.reduce((sum, one) => sum + one.inserted + one.updated + one.deleted, 0);
  const batches = hours.reduce((sum, one) => sum + one.batches, 0);
  if (!total) return h(Nothing, { title: `No rows were moved in the last 24 hours${without && `,${without}`}` });
  return h(
    "div",
    null,
    h(Chakra.Text, { color: "fg.muted", fontSize: "xs" }, `${number(total)} rows in ${plural(batches, "batch", "batches")}${without && `,${without}`}`),
    h(MovedBars, {
      items: hours,
      label: (hour) => clock(hour.hour),
      titleOf: (hour) => `${clock(hour.hour)}, ${plural(hour.batches, "batch", "batches")}`,
      summary: `Rows moved by hour: ${number(total)} in 24 hours`,
      height: 170,
    }),
  );
}

/** One item for each of the last 24 hours, the platforms together. */
function hourly(moved) {
  const last = Math.floor(Date.now() / HOUR) * HOUR;
  const starts = Array.from({ length: 24 }, (_, at) => last - (23 - at) * HOUR);
  const sums = new Map(starts.map((hour) => [hour, { hour, inserted: 0, updated: 0, deleted: 0, batches: 0 }]));
  for (const one of moved) {
    const sum = sums.get(Date.parse(one.hour));
    if (!sum) continue;
    for (const kind of ["inserted", "updated", "deleted", "batches"]) sum[kind] += one[kind];
  }
  return [...sums.values()];
}

/** What needs somebody, each with why; first the platforms of whose streams nobody can say anything now. */
function Worries({ worries, unread }) {
  if (!worries.length && !unread.length) return h(Nothing, { title: "No stream needs attention" });
  const unknown = unread.map(({ platform, name }) =>
    h(Worry, {
      key: platform,
      state: "unknown",
      what: h(Chakra.Text, { fontWeight: "medium" }, `All streams of ${name ?? platform}`),
      why: "Nobody knows how they are; the platform above says what cannot be read",
    }),
  );
  const known = worries.map((stream) =>
    h(Worry, {
      key: `${stream.platform}/${stream.stream_key}`,
      state: stream.state,
      what: [
        h(PageLink, { key: "key", to: paths.stream(stream.platform, stream.stream_key), fontWeight: "medium" }, stream.stream_key),
        h(Chakra.Text, { key: "platform", color: "fg.muted", fontSize: "xs" }, stream.platform),
      ],
      why: worry(stream),
    }),
  );
  return h(Chakra.Box, { as: "ul", listStyleType: "none" }, unknown, known);
}

/** One line; where the window is narrow the reason stands below. */
function Worry({ state, what, why }) {
  return h(
    Chakra.Flex,
    { as: "li", columnGap: 3, rowGap: 1, py: 2, align: "baseline", wrap: { base: "wrap", md: "nowrap" }, _notFirst: { borderTopWidth: 1 } },
    h(Chakra.Box, { w: "32", flexShrink: 0 }, h(State, { state })),
    h(Chakra.Box, { w: { base: "auto", md: "56" }, flexShrink: { base: 1, md: 0 }, minW: 0, overflowWrap: "anywhere" }, what),
    h(Chakra.Text, { w: { base: "full", md: "auto" }, minW: 0, overflowWrap: "anywhere" }, why),
  );
}

const More = ({ count }) =>
  h(Chakra.Text, { py: 2, borderTopWidth: 1 }, h(PageLink, { to: withQuery(paths.streams, { sort: "state" }) }, `${number(count)} more`));

/** Why a stream needs somebody, as a sentence. */
export function worry({ state, problem, freshness }) {
  if (state === "late" && freshness) {
    const need = `at most ${duration(freshness.latency_seconds)}`;
    if (freshness.age_seconds === null) return `It has never been ingested; consumers need data that is ${need} old`;
    return `The data is ${duration(freshness.age_seconds)} old; consumers need ${need}`;
  }
  if (!problem) return "See the last run";
  return state === "set_aside" ? problem : capital(problem); // of a row's problem its place comes first
}
