// How long a connection has been lost: reconnecting at first, offline after five minutes. The tries go on regardless.
import { type Interruption } from './channel';

/** In milliseconds; the applet withdraws every grant at the same time. */
const OFFLINE_AFTER = 5 * 60_000;

export class Away {
  private lostAt: Date | undefined;
  private by: Interruption = 'gateway';
  private timer: ReturnType<typeof setTimeout> | undefined;

  constructor(
    private readonly tell: (state: 'reconnecting' | 'offline', by: Interruption, since: Date) => void,
    private readonly offlineAfter = OFFLINE_AFTER,
  ) {}

  /** Since when the connection is lost; `undefined`: it is not. */
  get since(): Date | undefined {
    return this.lostAt;
  }

  /** The connection is lost, or another one than before is missing now. */
  begin(by: Interruption): void {
    this.by = by;
    this.lostAt ??= new Date();
    this.say(this.lostAt);
  }

  end(): void {
    clearTimeout(this.timer);
    this.timer = undefined;
    this.lostAt = undefined;
  }

  private say(since: Date): void {
    // By the wall clock: a computer that slept was away all the time.
    const left = since.getTime() + this.offlineAfter - Date.now();
    clearTimeout(this.timer);
    if (left > 0) this.timer = setTimeout(() => this.say(since), left);
    this.tell(left > 0 ? 'reconnecting' : 'offline', this.by, since);
  }
}
