// Numbers, times and states as people read them.
const NUMBER = new Intl.NumberFormat("en");
const SHORT = new Intl.NumberFormat("en", { notation: "compact", maximumFractionDigits: 1 });
const UNITS = [
  ["d", 86400],
  ["h", 3600],
  ["min", 60],
];
export const NOTHING = "–";

const missing = (value) => value === null || value === undefined;

export const number = (value) => (missing(value) ? NOTHING : NUMBER.format(Math.round(value)));

export const short = (value) => (missing(value) ? NOTHING : SHORT.format(value));

/** A size: `12.3 MB`. */
export function bytes(count) {
  if (missing(count)) return NOTHING;
  const [unit, size] = [["GB", 1e9], ["MB", 1e6], ["kB", 1e3]].find(([, one]) => count >= one) ?? ["bytes", 1];
  return `${size === 1 ? count : (count / size).toFixed(1)} ${unit}`;
}

export const percent = (part) => (missing(part) ? NOTHING : `${Math.floor(part * 100)}%`);

/** Seconds in their two largest units: `1 h 5 min`; below a minute with a decimal place where it matters. */
export function duration(seconds) {
  if (missing(seconds)) return NOTHING;
  if (seconds === 0) return "0 s";
  if (seconds < 0.1) return `${(seconds * 1000).toFixed(seconds < 0.01 ? 1 : 0)} ms`;
  const whole = Math.round(seconds);
  if (whole < 60) return seconds < 10 ? `${seconds.toFixed(1)} s` : `${whole} s`;
  const at = UNITS.findIndex(([, size]) => whole >= size);
  const [unit, size] = UNITS[at];
  const [smaller, part] = UNITS[at + 1] ?? ["s", 1];
  const rest = Math.floor((whole % size) / part);
  return `${Math.floor(whole / size)} ${unit}${rest ? ` ${rest} ${smaller}` : ""}`;
}

/** How long a run took; of one that still runs how long so far. */
export function lasted({ seconds, start, end }) {
  if (!missing(seconds) || missing(start) || end) return duration(seconds);
  return `${duration(Math.max(1, Math.round((Date.now() - new Date(start)) / 1000)))} so far`;
}

/** A time from now: `5 min ago`, `in 2 h`. */
export function fromNow(time) {
  if (missing(time)) return NOTHING;
  const seconds = (Date.now() - new Date(time).getTime()) / 1000;
  const [unit, size] = UNITS.find(([, one]) => Math.abs(seconds) >= one) ?? ["s", 1];
  const amount = `${Math.floor(Math.abs(seconds) / size)} ${unit}`;
  return seconds >= 0 ? `${amount} ago` : `in ${amount}`;
}

/** When the next run begins; one that should have begun already is due, as a scheduler that is down does not make it. */
export const nextTime = (time) => (!missing(time) && new Date(time) < Date.now() ? `due ${fromNow(time)}` : fromNow(time));

/** A time in full, in the reader's time zone. */
export const moment = (time) =>
  missing(time) ? NOTHING : new Date(time).toLocaleString("sv-SE", { timeZoneName: "short" });

export const clock = (time) =>
  new Date(time).toLocaleTimeString("en-GB", { hour: "2-digit", minute: "2-digit" });

// The API's word stays as it is for those who read it by programs. No plain object: that has words of its own, `constructor`.
const WORDS = new Map([
  ["set_aside", "quarantined"],
  ["found", "change past the tools found"],
]);

export const named = (state) => (missing(state) ? NOTHING : (WORDS.get(state) ?? state.replaceAll("_", " ")));

export const capital = (word) => word[0].toUpperCase() + word.slice(1);

/** A value of a config as one line of text. */
export function shown(value) {
  if (missing(value)) return NOTHING;
  return typeof value === "string" ? value : JSON.stringify(value);
}

export const plural = (count, one, many = `${one}s`) => `${number(count)} ${count === 1 ? one : many}`;

const SAME = 200; // characters

/** Whether a text says why already; of a long reason the start counts, as it may be cut. */
export const says = (text, why) => Boolean(text && why && text.includes(why.slice(0, SAME)));
