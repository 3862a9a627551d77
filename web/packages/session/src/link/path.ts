// One way for packets between console and applet: its pings, its measure, and what is on its way there.
import { type State, type Stream } from '../wire/link';

/** ordered: the relay, complete and in order until it dies; datagram: packets may be lost, doubled, reordered. */
export type PathKind = 'ordered' | 'datagram';

const FIRST_PINGS = 5;
const FIRST_PING_EVERY = 200;
const PING_EVERY = 5000;
const PING_WHEN_SUSPECTED = 1000;
const SUSPECTED_AT_LEAST = 500;
const DEAD_PINGS = 3;
const DEAD_AFTER = 2000;
const FIRST_PATIENCE = 200;
const MAX_PATIENCE = 2000;
/** What an acknowledgement may wait, and a timer be late. */
const ACKNOWLEDGED_LATE = 20;
const LEAST_VARIATION = 10;
/** A piece sent this many sendings before one that arrived is lost. */
const REORDERED = 3;
/** How much one sending counts in the share that is lost. */
const LOSS_WEIGHT = 1 / 128;
/** After so many milliseconds what was lost counts half: a path that was dead for a moment gets another chance. */
const LOSS_HALVED = 60_000;
const PER_CENT_LOST = 3;
/** What an unanswered ping is remembered for. */
const MAX_PINGS = 16;

/** Pieces of a datagram path while next to nothing is lost, and otherwise: one datagram each. */
const [LARGE_PIECE, SMALL_PIECE] = [16 * 1024, 1100];
const ORDERED_PIECE = 512 * 1024;
/** One loss alone, a full buffer on the way, is less. */
const LOSS_FOR_SMALL = 0.02;

/** Smoothed round trip and its variation in milliseconds (RFC 6298). */
export class RoundTrip {
  smoothed: number | undefined;
  variation = 0;

  measured(sample: number): void {
    if (this.smoothed === undefined) {
      this.smoothed = sample;
      this.variation = sample / 2;
      return;
    }
    this.variation = 0.75 * this.variation + 0.25 * Math.abs(this.smoothed - sample);
    this.smoothed = 0.875 * this.smoothed + 0.125 * sample;
  }
}

export type Sent =
  | { class: Stream; from: number; to: number; first: boolean }
  | { class: State; from: number; to: number; first: boolean };

type Sending = Sent & { number: number; at: number };

export class Path {
  /** Whether one of our pings was answered, and not too many since were not. */
  usable: boolean;
  /** Pings that were answered. */
  answered = 0;
  /** Share of what was sent that was lost, 0 to 1. */
  loss = 0;
  /** By pings alone: what the choice between paths goes by, as an acknowledgement may have waited. */
  readonly latency = new RoundTrip();
  /** By pings and acknowledgements: how long an acknowledgement may take. */
  private readonly patience = new RoundTrip();
  /** `after`: the number of the first sending after the ping. */
  private pings: { number: number; at: number; after: number }[] = [];
  private pinged = 0;
  private unanswered = 0;
  private unansweredSince = 0;
  private nextPingAt: number;
  private sendings: Sending[] = [];
  private sent = 0;
  private timeOuts = 0;
  private resolvedAt: number;

  constructor(
    readonly id: number,
    readonly kind: PathKind,
    now: number,
  ) {
    this.usable = kind === 'ordered';
    this.nextPingAt = now;
    this.resolvedAt = now;
  }

  /** The lower the better; the relay costs its operator, and its way is longer for everybody. */
  get score(): number {
    const { smoothed, variation } = this.latency;
    if (smoothed === undefined) return Number.POSITIVE_INFINITY;
    const score = smoothed + 4 * variation + PER_CENT_LOST * 100 * this.loss;
    return this.kind === 'ordered' ? score * 1.25 + 5 : score;
  }

  get pieceSize(): number {
    if (this.kind === 'ordered') return ORDERED_PIECE;
    return this.loss < LOSS_FOR_SMALL ? LARGE_PIECE : SMALL_PIECE;
  }

  /** Since when the oldest ping waits for its answer; `undefined`: none does. */
  get silentSince(): number | undefined {
    return this.unanswered > 0 ? this.unansweredSince : undefined;
  }

  /** Since when the oldest piece waits for its acknowledgement. */
  get waitingSince(): number | undefined {
    return this.sendings[0]?.at;
  }

  /** The number of the ping that is due, if one is. */
  ping(now: number): number | undefined {
    if (now < this.pingAt) return undefined;
    const number = this.pinged;
    this.pinged += 1;
    this.pings.push({ number, at: now, after: this.sent });
    if (this.pings.length > MAX_PINGS) this.pings.shift();
    if (this.unanswered === 0) this.unansweredSince = now;
    this.unanswered += 1;
    this.nextPingAt = now + (this.pinged < FIRST_PINGS ? FIRST_PING_EVERY : PING_EVERY);
    return number;
  }

  /**
   * A ping was answered. What is returned went before it on an ordered path: as a pong carries every acknowledgement, what
   * still waits once they are taken in was dropped by somebody in between (`missing`).
   */
  pong(number: number, now: number): number | undefined {
    const at = this.pings.findIndex((ping) => ping.number === number);
    const ping = this.pings[at];
    if (ping === undefined) return undefined;
    const sample = Math.max(now - ping.at, 0);
    this.latency.measured(sample);
    this.patience.measured(sample);
    if (this.kind === 'datagram') {
      // Pings before this one were lost, or will be answered too late to matter.
      for (let lost = 0; lost < at; lost += 1) this.resolved(true, now);
      this.resolved(false, now);
    }
    this.pings.splice(0, at + 1);
    this.unanswered = this.pings.length;
    this.unansweredSince = this.pings[0]?.at ?? now;
    this.answered += 1;
    this.usable = true;
    return this.kind === 'ordered' ? ping.after : undefined;
  }

  /** What was sent before this number and is not acknowledged. */
  missing(before: number, now: number): Sent[] {
    return this.lose((sending) => sending.number < before, now);
  }

  /** Notes that a piece goes on this path now. */
  sending(piece: Sent, now: number): void {
    this.sendings.push({ ...piece, number: this.sent, at: now });
    this.sent += 1;
  }

  /** What was acknowledged is taken out; what is lost by it is returned, to be sent again. */
  settle(hasArrived: (piece: Sent) => boolean, now: number): Sent[] {
    let highest = -1;
    let rest = 0;
    for (const sending of this.sendings) {
      if (!hasArrived(sending)) {
        this.sendings[rest] = sending;
        rest += 1;
        continue;
      }
      highest = sending.number;
      this.timeOuts = 0;
      if (this.kind === 'datagram') this.resolved(false, now);
      if (sending.first) this.patience.measured(Math.max(now - sending.at, 0));
    }
    this.sendings.length = rest;
    if (this.kind === 'ordered' || highest < 0) return [];
    return this.lose((sending) => sending.number + REORDERED <= highest, now);
  }

  /** What has waited too long for its acknowledgement. */
  timedOut(now: number): Sent[] {
    if (now < this.timeOutAt) return [];
    const patience = this.timeOut;
    const lost = this.lose((sending) => sending.at + patience <= now, now);
    this.timeOuts += 1;
    // Is there still somebody? The answer tells sooner than the next ping in its turn.
    if (this.unanswered === 0) this.nextPingAt = Math.min(this.nextPingAt, now);
    return lost;
  }

  /** Forgets what is on its way here: it goes on another path. */
  forget(): void {
    this.sendings = [];
    this.timeOuts = 0;
  }

  /** Whether pings stay without an answer; `usable` follows. */
  check(now: number): void {
    if (this.unanswered >= DEAD_PINGS && now - this.unansweredSince >= DEAD_AFTER) this.usable = false;
  }

  /** When something is next to be done without a new event. */
  get wakeAt(): number {
    let wake = Math.min(this.pingAt, this.timeOutAt);
    if (this.usable && this.unanswered >= DEAD_PINGS) wake = Math.min(wake, this.unansweredSince + DEAD_AFTER);
    return wake;
  }

  private get pingAt(): number {
    const last = this.pings.at(-1);
    if (this.unanswered === 0 || last === undefined) return this.nextPingAt;
    // A first answer that is late makes the path suspected, and it is asked again every second.
    const suspectedAt = this.unansweredSince + Math.max(2 * (this.latency.smoothed ?? 0), SUSPECTED_AT_LEAST);
    return Math.min(this.nextPingAt, Math.max(suspectedAt, last.at + PING_WHEN_SUSPECTED));
  }

  private get timeOut(): number {
    const { smoothed, variation } = this.patience;
    const first =
      smoothed === undefined ? FIRST_PATIENCE : smoothed + Math.max(4 * variation, LEAST_VARIATION) + ACKNOWLEDGED_LATE;
    return Math.min(first * 2 ** this.timeOuts, MAX_PATIENCE);
  }

  private get timeOutAt(): number {
    const oldest = this.sendings[0];
    if (this.kind === 'ordered' || oldest === undefined) return Number.POSITIVE_INFINITY;
    return oldest.at + this.timeOut;
  }

  private lose(isLost: (sending: Sending) => boolean, now: number): Sent[] {
    const lost = this.sendings.filter(isLost);
    if (lost.length === 0) return lost;
    this.sendings = this.sendings.filter((sending) => !isLost(sending));
    for (const _ of lost) this.resolved(true, now);
    return lost;
  }

  private resolved(lost: boolean, now: number): void {
    if (this.loss > 0) this.loss *= 0.5 ** ((now - this.resolvedAt) / LOSS_HALVED);
    this.resolvedAt = now;
    this.loss += ((lost ? 1 : 0) - this.loss) * LOSS_WEIGHT;
  }
}
