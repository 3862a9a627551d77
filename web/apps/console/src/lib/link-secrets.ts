// The secrets of the invitation links made in this browser, kept until their sessions end. No server ever has them: they
// travel in the fragment of the link, and let both ends of a session find out that nobody sits in between.

/** A link lives a day and a session twelve hours; a secret forgotten here never outlives both. */
const LIFE_MS = 36 * 3_600_000;
const PREFIX = 'belay.link-secret.';

interface Kept { secret: string; until: number }

export interface Store extends Pick<Storage, 'getItem' | 'setItem' | 'removeItem' | 'key'> { readonly length: number }

export class LinkSecrets {
  constructor(private readonly store: () => Store) {}

  keep(session: string, secret: string, now: number): void {
    this.#try((store) => store.setItem(PREFIX + session, JSON.stringify({ secret, until: now + LIFE_MS } satisfies Kept)));
  }

  of(session: string, now: number): string | undefined {
    return this.#try((store) => {
      const kept = store.getItem(PREFIX + session);
      return kept === null ? undefined : alive(kept, now)?.secret;
    });
  }

  forget(session: string): void {
    this.#try((store) => store.removeItem(PREFIX + session));
  }

  /** Forgets what is too old to be of use, whatever became of its session. */
  sweep(now: number): void {
    this.#try((store) => {
      const keys = Array.from({ length: store.length }, (_, at) => store.key(at)).filter((key) => key?.startsWith(PREFIX));
      for (const key of keys) if (key && !alive(store.getItem(key) ?? '', now)) store.removeItem(key);
    });
  }

  #try<T>(act: (store: Store) => T): T | undefined {
    try {
      return act(this.store());
    } catch {
      return undefined; // storage refused by the browser: people compare the codes
    }
  }
}

function alive(text: string, now: number): Kept | undefined {
  try {
    const kept = JSON.parse(text) as Partial<Kept>;
    const { secret, until } = kept;
    return typeof secret === 'string' && typeof until === 'number' && until > now ? { secret, until } : undefined;
  } catch {
    return undefined;
  }
}

/** Those of this browser, in every window of it. */
export const linkSecrets = new LinkSecrets(() => localStorage);
