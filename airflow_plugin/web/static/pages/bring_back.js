// Brings a retired stream back: a rollback to what it was before it was retired.
import { Chakra, h, React } from "../host.js";
import { at, call } from "../api.js";
import { Ask } from "../parts/ask.js";
import { moment } from "../words.js";

/** `onDone` gets what was done. */
export function BringBack({ card, onDone }) {
  const [asked, setAsked] = React.useState(null);
  const path = at("streams", card.platform, card.stream_key);
  const [busy, setBusy] = React.useState(false);
  const choose = async () => {
    setBusy(true);
    try {
      const { versions } = await call("GET", `${path}/history`);
      setAsked({ version: versions.find(({ status }) => status !== "retired") });
    } catch (error) {
      setAsked({ error });
    }
    setBusy(false);
  };
  const close = () => setAsked(null);
  return [
    h(Chakra.Button, { key: "back", size: "sm", variant: "outline", loading: busy, onClick: choose }, "Bring back"),
    asked ? h(Question, { key: "ask", card, path, ...asked, onDone, onClose: close }) : null,
  ];
}

function Question({ card, path, version, error, onDone, onClose }) {
  const title = `Bring back ${card.stream_key} on ${card.platform}?`;
  const why = error?.what ?? (version ? null : "Its recent history has no version in which it was not retired: roll back to one in its history.");
  if (why) return h(Ask, { title, yes: null, onClose }, why);
  const back = async () => {
    const { parse } = await call("POST", `${path}/rollback`, { to: version.version, version: card.version });
    onClose();
    onDone({ what: `${card.stream_key} is ${version.status} again`, parse });
  };
  return h(
    Ask,
    { title, yes: "Bring back", onYes: back, onClose },
    `Restores its config and status (${version.status}) of ${moment(version.at)}. Its next batch goes on with its merge tables, if they were not archived or purged.`,
  );
}
