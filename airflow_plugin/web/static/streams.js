// The entry "Streams" in Airflow's navigation.
import { h, React, Router } from "./host.js";
import { Routed } from "./routes.js";

let settled = false;

/**
 * Airflow holds a component that it has just loaded in another place than later, and makes it again when the address
 * changes for the first time: what is being typed would be lost. So the address is set once, to itself, before that.
 */
function Streams() {
  const navigate = Router.useNavigate();
  const location = Router.useLocation();
  React.useEffect(() => {
    if (settled) return;
    settled = true;
    navigate(location, { replace: true, state: location.state });
  }, []);
  return settled ? h(Routed) : null;
}

// Airflow looks for the name of the app first; AirflowPlugin alone may be another app's, when two load at once.
globalThis.Streams = Streams;
globalThis.AirflowPlugin = Streams;
