// What a running job is at: its phase, how much is done of how much, how fast, and since when.
import { Chakra, h } from "../host.js";
import { bytes, capital, duration, moment, number } from "../words.js";

const PHASES = new Map([
  ["waiting", "Waiting for another job"],
  ["starting", "Starting the batch"],
  ["connecting", "Connecting to the source"],
  ["reading", "Reading"],
  ["merging", "Merging"],
  ["checking", "Checking quality"],
  ["committing", "Committing"],
  ["idle", "Waiting for changes"],
]);

/** `progress` is what the API says of a job; null while it has said nothing yet. */
export function Progress({ progress }) {
  const part = progress.expected ? Math.min(1, progress.done / progress.expected) : null;
  return h(
    Chakra.Box,
    { as: "section", borderWidth: 1, borderRadius: "md", px: 3, py: 2, mb: 4, role: "status", "aria-label": "Progress" },
    h(
      Chakra.Flex,
      { justify: "space-between", gap: 3, wrap: "wrap" },
      h(Chakra.Text, { fontWeight: "medium", wordBreak: "break-word" }, [PHASES.get(progress.phase) ?? progress.phase, progress.dataset].filter(Boolean).join(" ")),
      h(Chakra.Text, { color: "fg.muted", title: `since ${moment(progress.phase_since)}` }, `for ${duration(between(progress.phase_since, progress.seen_at))}`),
    ),
    part === null ? null : h(Bar, { part }),
    h(Chakra.Text, { color: "fg.muted", fontSize: "sm", fontVariantNumeric: "tabular-nums" }, capital(amounts(progress).join(" · "))),
  );
}

const Bar = ({ part }) =>
  h(
    Chakra.Progress.Root,
    { value: Math.floor(100 * part), size: "sm", my: 1.5, colorPalette: "running", "aria-label": "Done" },
    h(Chakra.Progress.Track, null, h(Chakra.Progress.Range)),
  );

function amounts({ kind, done, expected, bytes: size, bytes_expected: all, per_second: rate, since, seen_at: seen }) {
  const found = [];
  if (done !== null) found.push(`${number(done)}${expected ? ` of about ${number(expected)}` : ""} ${kind}`);
  if (size !== null) found.push(`${bytes(size)}${all ? ` of about ${bytes(all)}` : ""}`);
  if (rate !== null) found.push(`${number(rate)} ${kind}/s`);
  return [...found, `the job has run for ${duration(between(since, seen))}`];
}

const between = (from, to) => Math.max(0, (new Date(to) - new Date(from)) / 1000);
