// Waits for AbortSignals that many calls may share.

interface Watched {
  readonly actions: Set<() => void>;
  readonly listener: () => void;
}

// Node warns of a leak where a signal has more than ten listeners: one of ours is enough for all calls.
const watched = new WeakMap<AbortSignal, Watched>();

/** Runs an action once a signal, which is not aborted yet, is; returns what lets go of the signal again. */
export function whenAborted(signal: AbortSignal, action: () => void): () => void {
  const { actions, listener } = watched.get(signal) ?? watch(signal);
  actions.add(action);
  return () => {
    actions.delete(action);
    if (actions.size === 0) {
      signal.removeEventListener("abort", listener);
      watched.delete(signal);
    }
  };
}

function watch(signal: AbortSignal): Watched {
  const actions = new Set<() => void>();
  const listener = () => {
    for (const action of actions) {
      action();
    }
  };
  const entry = { actions, listener };
  watched.set(signal, entry);
  signal.addEventListener("abort", listener, { once: true });
  return entry;
}
