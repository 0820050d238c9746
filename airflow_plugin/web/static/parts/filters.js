// What stands above a list: a search and choices, kept in the address so that it can be sent to somebody.
import { Chakra, h, React } from "../host.js";
import { useRested } from "../api.js";

const REST_MILLISECONDS = 250;

export function Search({ label, value = "", onChange }) {
  const [typed, setTyped] = React.useState(value);
  const rested = useRested(typed, REST_MILLISECONDS);
  React.useEffect(() => {
    if (rested !== value) onChange(rested);
    // Only what was typed counts: the address changes with it.
  }, [rested]);
  return h(Chakra.Input, {
    type: "search",
    size: "sm",
    width: { base: "full", md: "64" },
    placeholder: label,
    "aria-label": label,
    value: typed,
    onChange: (event) => setTyped(event.target.value),
  });
}

/** A choice of `options`, each [value, text]; the first of all means any. */
export function Choice({ label, value = "", options, onChange, any = true }) {
  const all = any ? [["", `${label}: any`], ...options] : options;
  return h(
    Chakra.NativeSelect.Root,
    { size: "sm", width: "auto", minW: { base: "32", md: "36" }, flexGrow: { base: 1, md: 0 } },
    h(
      Chakra.NativeSelect.Field,
      { value, "aria-label": label, onChange: (event) => onChange(event.target.value) },
      all.map(([key, text]) => h("option", { key, value: key }, text)),
    ),
    h(Chakra.NativeSelect.Indicator),
  );
}

export const Filters = ({ role = "search", children }) => h(Chakra.Flex, { gap: 2, mb: 3, wrap: "wrap", role }, children);
