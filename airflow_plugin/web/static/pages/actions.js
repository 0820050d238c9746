// The actions on a stream: each asks first, then shows the result.
import { Chakra, h, paths, React, Router } from "../host.js";
import { at } from "../api.js";
import { AskToPost } from "../parts/ask.js";
import { BringBack } from "./bring_back.js";

// In this order; the API says which of them can work on the stream as it is.
const ACTIONS = [
  {
    name: "trigger",
    label: "Trigger",
    effect: "Starts a run now, in addition to the schedule. If a run is active, the new run waits until it ends.",
  },
  {
    name: "pause",
    label: "Pause",
    effect: "Starts no more runs until the stream is resumed. An active run finishes.",
  },
  { name: "resume", label: "Resume", effect: "Starts runs by the schedule again." },
  {
    name: "approve_delete",
    label: "Approve delete",
    more: true,
    danger: true,
    effect: "Lets the next run, which starts now, delete the rows for which the last batch was refused. A batch that would delete more is refused again. Approve it if the rows were deleted from the source on purpose.",
    body: ({ refused_delete: refused }) => ({ refused_delete: { batch: refused.batch_id, dataset: refused.dataset, rows: refused.rows } }),
  },
  {
    name: "allow_deletes",
    label: "Allow deletes once",
    more: true,
    danger: true,
    effect: "Lets the next batch delete more rows than max_delete_fraction allows. Use this if the rows were deleted from the source on purpose.",
  },
  {
    name: "reset_batch",
    label: "Reset batch",
    more: true,
    danger: true,
    effect: "Resets an open batch to its start and discards what it has staged. Merge tables stay as the last committed batch left them.",
  },
  {
    name: "trust",
    label: "Trust row versions",
    more: true,
    effect: "Lets batches read only changed rows again. After an audit has found a change that row versions missed, batches compare every row; use this when the cause is fixed.",
  },
  {
    name: "check_source",
    label: "Test connection",
    more: true,
    asks: false,
    effect: "Looks at the source where the stream's job runs, with its secrets: reach, login, tables, columns, types and rights. No row is read.",
  },
  {
    name: "retire",
    label: "Retire",
    more: true,
    danger: true,
    effect: "Removes the stream's DAG, so it does not run any more. Its row, history and merge tables stay.",
  },
  {
    name: "purge",
    label: "Purge",
    danger: true,
    confirmed: true,
    effect: "Takes the stream away for good: its row, merge tables, row maps, consumers' views of them, and batches. Its history stays, and says who did it and why.",
  },
];

/** `onDone` gets the answer of the API. */
export function Actions({ card, onDone }) {
  const [asked, setAsked] = React.useState(null);
  if (!card.can_edit) return null;
  const there = ACTIONS.filter((action) => card.actions.includes(action.name));
  const first = there.filter((action) => !action.more);
  const more = there.filter((action) => action.more);
  return [
    card.status === "retired" ? h(BringBack, { key: "back", card, onDone }) : null,
    ...first.map((action) =>
      h(Chakra.Button, { key: action.name, size: "sm", variant: "outline", onClick: () => setAsked(action) }, action.label),
    ),
    more.length ? h(More, { key: "more", actions: more, onChoose: setAsked }) : null,
    h(
      Chakra.Button,
      { key: "edit", asChild: true, size: "sm", colorPalette: "brand" },
      h(Router.Link, { to: paths.edit(card.platform, card.stream_key) }, "Edit"),
    ),
    asked ? h(Question, { key: "ask", card, action: asked, onDone, onClose: () => setAsked(null) }) : null,
  ];
}

export const CHECK_SOURCE = ACTIONS.find(({ name }) => name === "check_source");

/** The button of one action by itself, where it can work on the stream; the menu has it too. */
export function ActionButton({ card, name, onDone }) {
  const [asked, setAsked] = React.useState(null);
  const action = ACTIONS.find((one) => one.name === name);
  if (!card.can_edit || !card.actions.includes(name)) return null;
  return [
    h(Chakra.Button, { key: name, size: "xs", variant: "outline", mt: 2, onClick: () => setAsked(card) }, action.label),
    // As it was when the user pressed the button: what is approved is what was seen.
    asked ? h(Question, { key: "ask", card: asked, action, onDone, onClose: () => setAsked(null) }) : null,
  ];
}

export function Question({ card, action, onDone, onClose }) {
  const [reason, setReason] = React.useState("");
  const [typed, setTyped] = React.useState("");
  const [given] = React.useState(() => action.body?.(card) ?? {});
  return h(
    AskToPost,
    {
      title: `${action.label}: ${card.stream_key} on ${card.platform}?`,
      yes: action.label,
      danger: action.danger,
      path: at("streams", card.platform, card.stream_key, "actions", action.name),
      ready: !action.confirmed || typed === card.stream_key,
      body: { ...given, ...(action.confirmed ? { confirm: typed } : {}), ...(reason.trim() ? { reason: reason.trim() } : {}) },
      onDone: (result) => {
        onClose();
        onDone({ ...result, action: action.name });
      },
      onClose,
    },
    action.effect,
    action.confirmed ? h(Confirmed, { streamKey: card.stream_key, value: typed, onChange: setTyped }) : null,
    action.asks === false ? null : h(Reason, { value: reason, onChange: setReason }),
  );
}

function Confirmed({ streamKey, value, onChange }) {
  return h(
    Chakra.Field.Root,
    { mt: 3 },
    h(Chakra.Field.Label, null, "Type the stream's name to confirm: ", h(Chakra.Code, null, streamKey)),
    h(Chakra.Input, { size: "sm", autoComplete: "off", value, onChange: (event) => onChange(event.target.value) }),
  );
}

export function Reason({ value, onChange }) {
  return h(
    Chakra.Field.Root,
    { mt: 3 },
    h(Chakra.Field.Label, null, "Reason (optional; the history records it)"),
    h(Chakra.Input, { size: "sm", maxLength: 1000, value, onChange: (event) => onChange(event.target.value) }),
  );
}

function More({ actions, onChoose }) {
  const items = actions.flatMap((action) => [
    action.name === "retire" && actions.length > 1 ? h(Chakra.Menu.Separator, { key: "apart" }) : null,
    h(
      Chakra.Menu.Item,
      { key: action.name, value: action.name, cursor: "pointer", color: action.name === "retire" ? "red.fg" : undefined, onClick: () => onChoose(action) },
      action.label,
    ),
  ]);
  return h(
    Chakra.Menu.Root,
    null,
    h(Chakra.Menu.Trigger, { asChild: true }, h(Chakra.Button, { size: "sm", variant: "outline" }, "More")),
    h(Chakra.Portal, null, h(Chakra.Menu.Positioner, null, h(Chakra.Menu.Content, null, items))),
  );
}
