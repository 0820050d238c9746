// Whether Airflow has stored what a stream's row says: a badge with its reason, and how often to look meanwhile.
import { Chakra, h } from "../host.js";

const WORDS = { stored: "yes", waiting: "not yet", blocked: "no" };
const PALETTES = { stored: "success", waiting: "queued", blocked: "failed" };
const WAITING_SECONDS = 1.5;

const reason = ({ what, todo }) => [what, todo].filter(Boolean).join(". ");

export function Seen({ airflow, label = "" }) {
  const word = `${label}${WORDS[airflow.state] ?? airflow.state}`;
  return h(
    Chakra.Badge,
    { colorPalette: PALETTES[airflow.state] ?? "none", variant: "subtle", size: "sm", borderRadius: "full", px: 2, title: reason(airflow) || undefined },
    word,
  );
}

/** In a list: nothing where Airflow has it, so that what it does not have is seen at a glance. */
export const Unseen = ({ airflow }) => (airflow.state === "stored" ? null : h(Seen, { airflow, label: "in Airflow: " }));

/** Why Airflow does not have it, in words that may be read on. */
export function WhyUnseen({ airflow }) {
  if (airflow.state === "stored") return null;
  return h(Chakra.Text, { color: "fg.muted", fontSize: "xs", mb: 3, role: "status" }, `Not in Airflow yet: ${reason(airflow)}.`);
}

/** Seconds until a page is read again: more often while Airflow is about to store what it shows. */
export const refreshSeconds = (stream, usual) => (stream?.airflow.state === "waiting" ? WAITING_SECONDS : usual);
