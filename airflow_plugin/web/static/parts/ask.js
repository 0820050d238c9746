// A question before anything is done, and what came of it.
import { Chakra, h, React, VISIBLE_BORDERS } from "../host.js";
import { call } from "../api.js";
import { ErrorNotice } from "./notice.js";

/**
 * A dialog that asks; `onYes` does it and may fail, then the dialog says why and stays. `children` say what will happen.
 * Without `yes` there is nothing to do, and the dialog only says so.
 */
export function Ask({ title, yes, danger = false, onYes, onClose, children, wide = false, ready = true }) {
  const [state, setState] = React.useState({ busy: false, error: undefined });
  const no = React.useRef(null);
  const act = async () => {
    setState({ busy: true, error: undefined });
    try {
      await onYes();
    } catch (error) {
      setState({ busy: false, error });
    }
  };
  return h(
    Chakra.Dialog.Root,
    {
      open: true,
      role: "alertdialog",
      size: wide ? "lg" : "sm",
      placement: "center",
      scrollBehavior: "inside",
      initialFocusEl: () => no.current,
      onOpenChange: ({ open }) => !open && !state.busy && onClose(),
    },
    h(
      Chakra.Portal,
      null,
      h(Chakra.Dialog.Backdrop),
      h(
        Chakra.Dialog.Positioner,
        null,
        h(
          Chakra.Dialog.Content,
          { css: VISIBLE_BORDERS },
          h(Chakra.Dialog.Header, null, h(Chakra.Dialog.Title, null, title)),
          h(
            Chakra.Dialog.Body,
            { tabIndex: 0 },
            state.error ? h(ErrorNotice, { error: state.error }) : null,
            h(Chakra.Dialog.Description, { as: "div" }, children),
          ),
          h(
            Chakra.Dialog.Footer,
            null,
            h(Chakra.Button, { size: "sm", variant: "outline", ref: no, disabled: state.busy, onClick: onClose }, yes ? "Cancel" : "Close"),
            yes
              ? h(
                  Chakra.Button,
                  { size: "sm", colorPalette: danger ? "danger" : "brand", loading: state.busy, disabled: !ready, onClick: act },
                  yes,
                )
              : null,
          ),
        ),
      ),
    ),
  );
}

/** Asks first, then posts; `onDone` gets the answer of the API. */
export function AskToPost({ path, body, method = "POST", onDone, ...rest }) {
  return h(Ask, { ...rest, onYes: async () => onDone(await call(method, path, body)) });
}
