// What may be done with a stream: each asks first, and says what happened.
import { Chakra, h, paths, React, Router } from "../host.js";
import { at } from "../api.js";
import { AskToPost } from "../parts/ask.js";

const RUNS = (card) => card.status === "active";

const ACTIONS = [
  {
    name: "trigger",
    label: "Trigger",
    there: RUNS,
    says: "A run starts now, beside the schedule. If one is running already, it waits for its end.",
  },
  {
    name: "pause",
    label: "Pause",
    there: RUNS,
    says: "No run starts any more until it is resumed. A run that is running comes to its end.",
  },
  { name: "resume", label: "Resume", there: (card) => card.status === "paused", says: "It runs again as its schedule says." },
  {
    name: "allow_deletes",
    reasoned: true,
    label: "Allow deletes once",
    more: true,
    there: RUNS,
    danger: true,
    says: "The next batch may delete more rows than max_delete_fraction allows. Do this when the rows are gone from the source on purpose.",
  },
  {
    name: "reset_batch",
    reasoned: true,
    label: "Reset batch",
    more: true,
    there: RUNS,
    danger: true,
    says: "An open batch is taken back to its start; what was staged is thrown away. Merge tables stay as the last committed batch left them.",
  },
  {
    name: "trust",
    reasoned: true,
    label: "Trust row versions",
    more: true,
    there: RUNS,
    says: "After an audit found a change that row versions had missed, batches compare every row. Do this once the cause is fixed: they read only what changed again.",
  },
  {
    name: "retire",
    label: "Retire",
    more: true,
    there: (card) => card.status !== "retired",
    danger: true,
    says: "Its DAG goes away and it does not run any more. Row, history and merge tables stay.",
  },
];

/** `onDone` gets what the API said of it. */
export function Actions({ card, onDone }) {
  const [asked, setAsked] = React.useState(null);
  if (!card.can_edit) return null;
  const there = ACTIONS.filter((action) => action.there(card));
  const first = there.filter((action) => !action.more);
  const more = there.filter((action) => action.more);
  return [
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

function Question({ card, action, onDone, onClose }) {
  const [reason, setReason] = React.useState("");
  return h(
    AskToPost,
    {
      title: `${action.label}: ${card.stream_key} on ${card.platform}?`,
      yes: action.label,
      danger: action.danger,
      path: at("streams", card.platform, card.stream_key, "actions", action.name),
      body: reason.trim() ? { reason: reason.trim() } : {},
      onDone: (said) => {
        onClose();
        onDone(said);
      },
      onClose,
    },
    action.says,
    action.reasoned ? h(Reason, { value: reason, onChange: setReason }) : null,
  );
}

function Reason({ value, onChange }) {
  return h(
    Chakra.Field.Root,
    { mt: 3 },
    h(Chakra.Field.Label, null, "Reason, kept with the run"),
    h(Chakra.Input, { size: "sm", maxLength: 1000, value, onChange: (event) => onChange(event.target.value) }),
  );
}

function More({ actions, onChoose }) {
  const items = actions.map((action) =>
    h(
      Chakra.Menu.Item,
      { key: action.name, value: action.name, cursor: "pointer", onClick: () => onChoose(action) },
      action.label,
    ),
  );
  return h(
    Chakra.Menu.Root,
    null,
    h(Chakra.Menu.Trigger, { asChild: true }, h(Chakra.Button, { size: "sm", variant: "outline" }, "More")),
    h(Chakra.Portal, null, h(Chakra.Menu.Positioner, null, h(Chakra.Menu.Content, null, items))),
  );
}
