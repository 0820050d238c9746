// A state as a badge, in the colours that Airflow's theme has for states.
import { Chakra, h } from "../host.js";
import { named } from "../words.js";

// By a word that a row may have made up: no plain object, which has words of its own.
const PALETTES = new Map(
  Object.entries({
    ok: "success",
    done: "success",
    success: "success",
    committed: "success",
    active: "success",
    late: "up_for_retry",
    failing: "failed",
    failed: "failed",
    error: "failed",
    set_aside: "orange",
    running: "running",
    started: "running",
    ingested: "running",
    queued: "queued",
    keep_working: "running",
    paused: "none",
    retired: "removed",
    never_succeeded: "failed",
    never_run: "scheduled",
    unknown: "none",
    passed: "success",
    warning: "up_for_retry",
  }),
);

export const STATES = ["ok", "late", "failing", "set_aside", "never_succeeded", "never_run", "paused", "retired", "unknown"];

/** States in which somebody has to look at a stream, the worst first. */
export const TROUBLES = ["set_aside", "failing", "never_succeeded", "late", "unknown"];

/** All states, the worst first. */
export const BY_WEIGHT = [...TROUBLES, ...STATES.filter((state) => !TROUBLES.includes(state))];

export const paletteOf = (state) => PALETTES.get(state) ?? "none";

export function State({ state, ...rest }) {
  if (!state) return h("span", null, "–");
  return h(
    Chakra.Badge,
    { borderRadius: "full", colorPalette: paletteOf(state), variant: "subtle", size: "sm", px: 2, gap: 1.5, ...rest },
    h(Chakra.Box, { as: "span", boxSize: "7px", borderRadius: "full", bg: "colorPalette.solid", "aria-hidden": true }),
    named(state),
  );
}
