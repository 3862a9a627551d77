// Who is signed in, and how it begins and ends.
import { createApi, type Failure, type Me, type Result } from '@belay/api';

export const api = createApi();

export type Status =
  | { at: 'loading' }
  | { at: 'unreachable'; failure: Failure }
  | { at: 'out'; idle: boolean }
  | { at: 'in'; me: Me };

let status = $state.raw<Status>({ at: 'loading' });

export const account = {
  get status(): Status {
    return status;
  },

  /** Looks whether the browser's cookie still counts. */
  async look(): Promise<void> {
    status = { at: 'loading' };
    const result = await api.me();
    if (result.ok) status = { at: 'in', me: result.value };
    else if (result.failure.status === 401) status = { at: 'out', idle: false };
    else status = { at: 'unreachable', failure: result.failure };
  },

  async signIn(id: string, password: string): Promise<Failure | undefined> {
    const result = await api.signIn(id, password);
    if (!result.ok) return result.failure;
    status = { at: 'in', me: result.value };
    return undefined;
  },

  async signOut(): Promise<void> {
    await api.signOut();
    status = { at: 'out', idle: false };
  },

  /** The website says that this sign-in is over. */
  expired(): void {
    if (status.at === 'in') status = { at: 'out', idle: true };
  },

  /** Passes an answer on, and notices when it says that the sign-in is over. */
  watch<T>(result: Result<T>): Result<T> {
    if (!result.ok && result.failure.status === 401) account.expired();
    return result;
  },
};
