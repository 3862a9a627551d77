// Listeners of a session. Facts that stay true are told to whoever listens later.
import { type RemoteSessionEvents } from './interface';

type Name = keyof RemoteSessionEvents;
type Arguments<E extends Name> = Parameters<RemoteSessionEvents[E]>;
type Listener = (args: unknown[]) => void;

const LASTING: ReadonlySet<Name> = new Set<Name>(['state', 'path', 'monitors', 'peer', 'size', 'security_code', 'ended']);

export class Emitter {
  private readonly listeners = new Map<Name, Set<Listener>>();
  private readonly last = new Map<Name, unknown[]>();

  on<E extends Name>(event: E, f: RemoteSessionEvents[E]): () => void {
    // A listener of its own even if the same function listens twice.
    const listener: Listener = (args) => (f as (...args: unknown[]) => void)(...args);
    const set = this.listeners.get(event) ?? new Set<Listener>();
    this.listeners.set(event, set);
    set.add(listener);
    const last = this.last.get(event);
    if (last !== undefined) {
      queueMicrotask(() => {
        if (set.has(listener) && this.last.get(event) === last) call(listener, last);
      });
    }
    return () => void set.delete(listener);
  }

  emit<E extends Name>(event: E, ...args: Arguments<E>): void {
    if (LASTING.has(event)) this.last.set(event, args);
    for (const listener of [...(this.listeners.get(event) ?? [])]) call(listener, args);
  }
}

/** What a listener throws is reported as any uncaught error, but does not harm the session. */
function call(listener: Listener, args: unknown[]): void {
  try {
    listener(args);
  } catch (error) {
    queueMicrotask(() => {
      throw error;
    });
  }
}
