// The streams that a list shows, paused, resumed or retired together: a question that names them, then a result for each.
import { Chakra, h, React, withQuery } from "../host.js";
import { at, call } from "../api.js";
import { Ask } from "../parts/ask.js";
import { ErrorNotice, Notice } from "../parts/notice.js";
import { number, plural } from "../words.js";
import { Reason } from "./actions.js";

const PAGE = 500;
const AT_ONCE = 200; // streams in a request: each is checked before it is written
const ACTIONS = [
  { name: "pause", label: "Pause", done: "paused", from: ["active"], effect: "Starts no more runs until they are resumed. Active runs finish." },
  { name: "resume", label: "Resume", done: "resumed", from: ["paused"], effect: "Starts runs by their schedules again." },
  {
    name: "retire",
    label: "Retire",
    done: "retired",
    from: ["active", "paused"],
    danger: true,
    effect: "Removes their DAGs, so they do not run any more. Rows, histories and merge tables stay.",
  },
  {
    name: "purge",
    label: "Purge",
    done: "purged",
    from: ["retired"],
    danger: true,
    confirmed: true,
    atOnce: 100,
    effect: "Takes them away for good: rows, merge tables, row maps, consumers' views of them, and batches. Their histories stay. One that cannot be purged stops no other. If you leave this page meanwhile, it goes on.",
  },
];
const EVERY_MILLISECONDS = 1500;

const placeOf = (stream) => `${stream.platform}/${stream.stream_key}`;

/** All streams of a list, not only those of the page that is looked at. */
async function allOf(shown) {
  const found = new Map();
  for (let offset = 0; offset !== null; ) {
    const page = await call("GET", withQuery(at("streams"), { ...shown, limit: PAGE, offset }));
    for (const stream of page.streams) found.set(placeOf(stream), stream); // one may move between pages meanwhile
    offset = page.next;
  }
  return [...found.values()];
}

/** `shown` is the query of the list, `streams` the page of it, `me` the user; `onDone` gets the action and a result for each stream. */
export function Together({ shown, streams, me, onDone }) {
  const [asked, setAsked] = React.useState(null);
  const [state, setState] = React.useState({ busy: false, error: undefined });
  if (!streams.some((one) => one.can_edit)) return null;
  const choose = async (action) => {
    setState({ busy: true, error: undefined });
    try {
      setAsked({ action, streams: await allOf(shown) });
      setState({ busy: false, error: undefined });
    } catch (error) {
      setState({ busy: false, error });
    }
  };
  const items = ACTIONS.filter(({ name }) => name !== "purge" || me?.can_create).map((action) =>
    h(Chakra.Menu.Item, { key: action.name, value: action.name, cursor: "pointer", onClick: () => choose(action) }, `${action.label} all in this list`),
  );
  return h(
    Chakra.HStack,
    { gap: 2 },
    state.error ? h(ErrorNotice, { error: state.error }) : null,
    h(
      Chakra.Menu.Root,
      null,
      h(Chakra.Menu.Trigger, { asChild: true }, h(Chakra.Button, { size: "xs", variant: "outline", loading: state.busy }, "Change all")),
      h(Chakra.Portal, null, h(Chakra.Menu.Positioner, null, h(Chakra.Menu.Content, null, items))),
    ),
    asked ? h(Question, { ...asked, onDone, onClose: () => setAsked(null) }) : null,
  );
}

function Question({ action, streams, onDone, onClose }) {
  const [reason, setReason] = React.useState("");
  const [typed, setTyped] = React.useState("");
  const [progress, setProgress] = React.useState(null);
  const wanted = streams.filter((one) => one.can_edit && action.from.includes(one.status));
  const forbidden = streams.filter((one) => !one.can_edit).length;
  const others = streams.length - wanted.length - forbidden;
  const left = [
    others ? `${number(others)} of this list cannot be ${action.done}, as they are now` : null,
    forbidden ? `${number(forbidden)} you may not edit` : null,
  ].filter(Boolean);
  const some = wanted.length > 0;
  const word = confirmation(wanted);
  return h(
    Ask,
    {
      title: some ? `${action.label} ${plural(wanted.length, "stream")}?` : `There is no stream to ${action.name}`,
      yes: some ? `${action.label} ${number(wanted.length)}` : null,
      danger: action.danger,
      wide: true,
      ready: !action.confirmed || typed === word,
      onYes: async () => {
        const results = await changed(action, wanted, reason.trim(), setProgress);
        onClose();
        onDone({ action, results });
      },
      onClose,
    },
    some ? action.effect : null,
    some ? h(Keys, { streams: wanted }) : null,
    left.length ? h(Chakra.Text, { mt: 2, color: "fg.muted" }, `Left out: ${left.join("; ")}.`) : null,
    some && action.confirmed ? h(Confirmed, { word, value: typed, onChange: setTyped }) : null,
    some ? h(Reason, { value: reason, onChange: setReason }) : null,
    progress ? h(Chakra.Text, { role: "status", mt: 2 }, progress) : null,
  );
}

/** What is typed before many streams go for good: how many these are. */
const confirmation = (streams) => `purge ${streams.length}`;

function Confirmed({ word, value, onChange }) {
  return h(
    Chakra.Field.Root,
    { mt: 3 },
    h(Chakra.Field.Label, null, "Type this to confirm: ", h(Chakra.Code, null, word)),
    h(Chakra.Input, { size: "sm", autoComplete: "off", value, onChange: (event) => onChange(event.target.value) }),
  );
}

function Keys({ streams }) {
  const items = streams.map((one) => h("li", { key: placeOf(one) }, `${one.stream_key} on ${one.platform}`));
  return h(
    Chakra.Box,
    { as: "ul", "aria-label": "Streams", tabIndex: 0, mt: 2, p: 2, maxH: "40", overflowY: "auto", borderWidth: 1, borderRadius: "md", listStyleType: "none", overflowWrap: "anywhere" },
    items,
  );
}

/** A result for each stream. A request that fails says it of its streams, and stops no other. */
async function changed(action, streams, reason, onProgress) {
  const results = [];
  const platforms = new Set(streams.map((one) => one.platform));
  for (const platform of platforms) {
    const keys = streams.filter((one) => one.platform === platform).map((one) => one.stream_key);
    const atOnce = action.atOnce ?? AT_ONCE;
    for (let start = 0; start < keys.length; start += atOnce) {
      const some = keys.slice(start, start + atOnce);
      const before = results.filter((one) => one.is_done).length;
      const say = (count) => onProgress(`${number(before + count)} of ${plural(streams.length, "stream is", "streams are")} ${action.done}`);
      results.push(...(await resultsOf(platform, action, some, reason, say)).map((one) => ({ ...one, platform })));
    }
  }
  return results;
}

async function resultsOf(platform, action, keys, reason, say) {
  try {
    if (action.name === "purge") return await purged(platform, keys, reason, say);
    const body = { stream_keys: keys, ...(reason ? { reason } : {}) };
    return (await call("POST", at("platforms", platform, "actions", action.name), body)).results;
  } catch (error) {
    return keys.map((key) => ({ stream_key: key, is_done: false, what: error.what ?? String(error), todo: error.todo ?? null }));
  }
}

/** A run of the operations DAG does it: followed to its end, with what became of each stream. */
async function purged(platform, keys, reason, say) {
  const body = { stream_keys: keys, confirm: keys.length, ...(reason ? { reason } : {}) };
  const asked = await call("POST", at("platforms", platform, "purges"), body);
  if (!asked.run_id) return asked.results;
  for (;;) {
    const run = await call("GET", at("platforms", platform, "purges", asked.run_id));
    say(run.results.filter((one) => one.is_done).length);
    if (run.ended) return [...asked.results, ...run.results];
    await new Promise((resolve) => setTimeout(resolve, EVERY_MILLISECONDS));
  }
}

/** What came of it: how many, why not the others, and each stream on demand. */
export function TogetherDone({ done: { action, results }, onClose }) {
  const refused = results.filter((one) => !one.is_done);
  const count = results.length - refused.length;
  const title = refused.length
    ? `${number(count)} of ${plural(results.length, "stream is", "streams are")} ${action.done}, ${number(refused.length)} not`
    : `${plural(count, "stream is", "streams are")} ${action.done}`;
  return h(
    Notice,
    { status: refused.length ? "warning" : "success", title, onClose },
    refused.length ? h(Results, { results: refused }) : null,
    h("details", null, h(Chakra.Box, { as: "summary", cursor: "pointer" }, "Each stream"), h(Results, { results })),
  );
}

function Results({ results }) {
  const items = results.map((one) =>
    h("li", { key: placeOf(one) }, `${one.stream_key} on ${one.platform}: ${[one.what, one.todo].filter(Boolean).join(". ")}`),
  );
  return h(Chakra.Box, { as: "ul", tabIndex: 0, "aria-label": "Results", maxH: "40", overflowY: "auto", listStyleType: "none" }, items);
}
