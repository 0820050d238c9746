// Overview: how the platforms' streams are, what needs somebody, and how much was moved.
import { Chakra, h, paths, Router, withQuery } from "../host.js";
import { at, useAnswer } from "../api.js";
import { KINDS, MovedBars } from "../charts/bars.js";
import { Legend } from "../charts/frame.js";
import { StateShare } from "../charts/share.js";
import { Answer, Nothing, PageLink } from "../parts/notice.js";
import { Page, Panel } from "../parts/page.js";
import { State, TROUBLES } from "../parts/state.js";
import { clock, duration, moment, number, plural } from "../words.js";

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
      { gap: 4, templateColumns: "repeat(auto-fit, minmax(320px, 1fr))" },
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
      h(Unread, { unread }),
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

/** The platforms of whose streams nobody can say anything now, and why. */
function Unread({ unread }) {
  return unread.map(({ platform, name, database }) =>
    h(
      Chakra.Flex,
      { key: platform, gap: 3, py: 2, borderBottomWidth: 1, align: "baseline" },
      h(Chakra.Box, { w: "24", flexShrink: 0 }, h(State, { state: "unknown" })),
      h(Chakra.Text, { w: "64", flexShrink: 0, minW: 0, fontWeight: "medium" }, `All streams of ${name ?? platform}`),
      h(Chakra.Text, { minW: 0, wordBreak: "break-word" }, `${database.what}. ${database.todo ?? ""}`),
    ),
  );
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
    database.ok ? null : h(Chakra.Text, { color: "red.fg" }, `${database.what}. ${database.todo ?? ""} [${database.code}]`),
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

function Worries({ worries, unread }) {
  if (!worries.length) return unread.length ? null : h(Nothing, { title: "No stream is late, failing or quarantined" });
  const lines = worries.map((stream, index) =>
    h(
      Chakra.Flex,
      { as: "li", key: `${stream.platform}/${stream.stream_key}`, gap: 3, py: 2, borderTopWidth: index ? 1 : 0, align: "baseline" },
      h(Chakra.Box, { w: "24", flexShrink: 0 }, h(State, { state: stream.state })),
      h(
        Chakra.Box,
        { w: "64", flexShrink: 0, minW: 0 },
        h(PageLink, { to: paths.stream(stream.platform, stream.stream_key), fontWeight: "medium" }, stream.stream_key),
        h(Chakra.Text, { color: "fg.muted", fontSize: "xs" }, stream.platform),
      ),
      h(Chakra.Text, { minW: 0, wordBreak: "break-word" }, worry(stream)),
    ),
  );
  return h(Chakra.Box, { as: "ul", listStyleType: "none" }, lines);
}

const More = ({ count }) =>
  h(Chakra.Text, { py: 2, borderTopWidth: 1 }, h(PageLink, { to: withQuery(paths.streams, { sort: "state" }) }, `${number(count)} more`));

export function worry({ state, problem, freshness }) {
  if (problem) return problem;
  if (state === "late" && freshness) {
    return `The data is ${duration(freshness.age_seconds)} old; consumers need at most ${duration(freshness.latency_seconds)}`;
  }
  return "See the last run";
}
