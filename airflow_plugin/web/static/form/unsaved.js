// A warning before what was typed is lost: by another page of the UI, by closing the window, or by another beginning.
import { h, React, Router } from "../host.js";
import { Ask } from "../parts/ask.js";

// A router of an older Airflow cannot hold a page back; a window that is closed can be held in each.
const useBlocker = Router.useBlocker ?? (() => ({ state: "unblocked" }));

/** Holds the page while `isUnsaved`; a dialog to draw, and `leave`, after which nothing is held any more. */
export function useUnsaved(isUnsaved) {
  const left = React.useRef(false);
  const blocker = useBlocker(({ currentLocation, nextLocation }) => isUnsaved && !left.current && currentLocation.pathname !== nextLocation.pathname);
  React.useEffect(() => {
    if (!isUnsaved) return undefined;
    const hold = (event) => left.current || event.preventDefault();
    globalThis.addEventListener("beforeunload", hold);
    return () => globalThis.removeEventListener("beforeunload", hold);
  }, [isUnsaved]);
  const dialog = blocker.state === "blocked" ? h(Discard, { onYes: () => blocker.proceed(), onClose: () => blocker.reset() }) : null;
  const leave = () => {
    left.current = true;
  };
  return [dialog, leave];
}

export const Discard = ({ onYes, onClose }) =>
  h(Ask, { title: "Discard what you have changed?", yes: "Discard", danger: true, onYes: async () => onYes(), onClose }, "It is not saved.");
