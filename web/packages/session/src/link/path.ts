// One way for packets between console and applet: its pings, its measure, and what is on its way there.
import { isStream, type State, type Stream } from '../wire/link';

/** ordered: the relay, complete and in order until it dies; datagram: packets may be lost, doubled, reordered. */
export type PathKind = 'ordered' | 'datagram';

/** Pings that a new path gets at once, and by which one is measured anew: more than half of those that are compared. */
const [FIRST_PINGS, MEASURE_PINGS] = [5, 8];
const [QUICK_EVERY, MEASURE_EVERY] = [200, 100];
const PING_EVERY = 5000;
/** How often a path is asked whether it has come back. */
const PING_DEAD_EVERY = 1000;
/** A ping that is not answered for two round trips makes a path suspected, but not before this. */
const SUSPECTED_AT_LEAST = 300;
/**
 * A suspected path is left for one that has answered meanwhile, once so many pings in a row are unanswered for three round trips, but
 * not before this.
 */
const [LEFT_PINGS, LEFT_AFTER] = [3, 600];
const DEAD_PINGS = 3;
const DEAD_AFTER = 2000;
/** The path in use is given up after this, if no other answers: who answers nowhere is perhaps busy, and comes back on all of them. */
const GIVEN_UP_AFTER = 4000;
/**
 * A path that owes an answer for four time-outs, and at least this, may be dead; the bytes that are on their way there have their time
 * besides, on a thin line.
 */
const [DOUBTED_AFTER, BYTES_A_SECOND] = [1000, 8192];
const FIRST_PATIENCE = 200;
const MAX_PATIENCE = 2000;
/** What an acknowledgement may wait, and a timer be late. */
const ACKNOWLEDGED_LATE = 20;
const LEAST_VARIATION = 10;
/** A piece sent this many sendings before one that arrived is lost. */
const REORDERED = 3;
/** How much one sending counts in the share that is lost; and for the choice between paths, which must not follow chance. */
const [LOSS_WEIGHT, LOSS_WEIGHT_USUALLY] = [1 / 128, 1 / 256];
/** So many losses in a row are an outage, which is judged by its silence: more of them say nothing of what is lost usually. */
const OUTAGE = 2;
/** After so many milliseconds what was lost counts half: a path that was dead for a moment gets another chance. */
const LOSS_HALVED = 60_000;
const PER_CENT_LOST = 3;
/** A relay is worse by a quarter and this: it costs its operator, sees how much is said, and its way is longer for everybody. */
const [RELAY_SHARE, RELAY_COSTS] = [1.25, 10];
/**
 * Round trips by which a path is compared with another: the middle one of the newest. Those that are late because somebody was busy
 * for a moment change nothing until they are half of them.
 */
const COMPARED = 12;
/** Answers that come within so many milliseconds count as one. */
const TOGETHER = 50;
/** What took twice the usual round trip and this may mean that the path has become another one. */
const WORSE_BY = 30;
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
  /** By pings alone: what is shown, and what a ping may take. */
  readonly latency = new RoundTrip();
  /** By pings, the newest last: for the choice between paths. */
  private readonly newest: number[] = [];
  /** When the newest came. */
  private sampledAt = Number.NEGATIVE_INFINITY;
  /** As `loss`, for the choice between paths: more slowly, and without outages. */
  private lossUsually = 0;
  private lostInARow = 0;
  /** When the newest ping was sent that was answered, or the newest piece that was acknowledged. */
  private alive = Number.NEGATIVE_INFINITY;
  /** Pings that follow each other quickly. */
  private quick = FIRST_PINGS;
  private quickEvery = QUICK_EVERY;
  /** When something came here. */
  private heardAt: number;
  /** By pings and acknowledgements: how long an acknowledgement may take. */
  private readonly patience = new RoundTrip();
  /** `after`: the number of the first sending after the ping. */
  private pings: { number: number; at: number; after: number }[] = [];
  private pinged = 0;
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
    // Its owner has heard the other end there.
    if (kind === 'ordered') this.alive = now;
    this.heardAt = now;
    this.nextPingAt = now;
    this.resolvedAt = now;
  }

  /** The lower the better; infinite before the first measurement. */
  get score(): number {
    const { usual } = this;
    if (usual === undefined) return Number.POSITIVE_INFINITY;
    const score = usual + PER_CENT_LOST * 100 * this.lossUsually;
    return this.kind === 'ordered' ? score * RELAY_SHARE + RELAY_COSTS : score;
  }

  /** By how much the score may be out: what jitters or loses is measured less well. */
  get doubt(): number {
    const spread = (this.quantile(3) ?? 0) - (this.quantile(1) ?? 0);
    return spread / 4 + PER_CENT_LOST * 100 * Math.sqrt((this.lossUsually * LOSS_WEIGHT_USUALLY) / 2);
  }

  get pieceSize(): number {
    if (this.kind === 'ordered') return ORDERED_PIECE;
    return this.loss < LOSS_FOR_SMALL ? LARGE_PIECE : SMALL_PIECE;
  }

  /** Since when the oldest ping or piece waits for its answer; `undefined`: none does. */
  get owesSince(): number | undefined {
    const since = Math.min(this.silence[0] ?? Infinity, this.sendings[0]?.at ?? Infinity);
    return Number.isFinite(since) ? since : undefined;
  }

  /** When the path's silence becomes long enough to look for another way, if nothing comes before; `undefined`: it owes nothing. */
  get doubtedAt(): number | undefined {
    const [since, { smoothed, variation }] = [this.owesSince, this.latency];
    // Where nothing was ever answered, nothing can be expected yet.
    if (since === undefined || smoothed === undefined) return undefined;
    const timeOut = smoothed + 4 * variation;
    const bytes = this.sendings.reduce((sum, { class: of, from, to }) => sum + (isStream(of) ? to - from : 0), 0);
    return Math.max(since, this.heardAt) + Math.max(4 * timeOut, DOUBTED_AFTER) + (1000 * bytes) / BYTES_A_SECOND;
  }

  /** A packet came here. */
  heard(now: number): void {
    this.heardAt = now;
  }

  /** The number of the ping that is due, if one is. */
  ping(now: number): number | undefined {
    if (now < this.pingAt) return undefined;
    const number = this.pinged;
    this.pinged += 1;
    this.pings.push({ number, at: now, after: this.sent });
    // The oldest tells for how long nothing is answered.
    if (this.pings.length > MAX_PINGS) this.pings.splice(1, 1);
    this.nextPingAt = now + PING_EVERY;
    this.quick = Math.max(this.quick - 1, 0);
    return number;
  }

  /**
   * A ping was answered. `before` went before it on an ordered path: as a pong carries every acknowledgement, what still waits once
   * they are taken in was dropped by somebody in between (`missing`). `worse`: it took so long that the path may have become another.
   */
  pong(number: number, now: number): { before: number | undefined; worse: boolean } | undefined {
    const at = this.pings.findIndex((ping) => ping.number === number);
    const ping = this.pings[at];
    if (ping === undefined) return undefined;
    const sample = Math.max(now - ping.at, 0);
    const worse = this.isWorse(sample);
    this.alive = Math.max(this.alive, ping.at);
    this.sampled(sample, now);
    this.latency.measured(sample);
    this.patience.measured(sample);
    if (this.kind === 'datagram') {
      // Pings before this one were lost, or will be answered too late to matter.
      for (let lost = 0; lost < at; lost += 1) this.resolved(true, now);
      this.resolved(false, now);
    }
    this.pings.splice(0, at + 1);
    // Back after an outage: what was measured before it may be different now.
    if (!this.usable && this.answered > 0) this.measure();
    this.answered += 1;
    this.usable = true;
    return { before: this.kind === 'ordered' ? ping.after : undefined, worse };
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

  /** The next pings follow each other quickly: so many, if not more do already. */
  ask(pings: number): void {
    if (this.quick === 0) this.quickEvery = QUICK_EVERY;
    this.quick = Math.max(this.quick, pings);
  }

  /** It is measured anew. */
  measure(): void {
    this.quick = Math.max(this.quick, MEASURE_PINGS);
    this.quickEvery = MEASURE_EVERY;
  }

  /** Whether a ping is unanswered for so long that the path may be dead. */
  isSuspected(now: number): boolean {
    return this.suspectedAt <= now;
  }

  /** Whether another path has answered what was asked after the oldest question that this one does not answer. */
  isOutlivedBy(other: Path, now: number): boolean {
    return this.isSuspected(now) && other.alive > (this.silence[0] ?? now);
  }

  /** Whether the path, which is in use, is silent for long enough to leave it for one that is not. */
  isLeft(now: number): boolean {
    const { silence } = this;
    if (this.kind === 'ordered' || silence.length < LEFT_PINGS) return false;
    return now - (silence[0] ?? now) >= Math.max(LEFT_AFTER, 3 * (this.latency.smoothed ?? 0));
  }

  /** Whether the path, which is in use, is silent for so long that nothing but pings goes any more, although no other answers. */
  isGivenUp(now: number): boolean {
    return this.kind === 'datagram' && this.isSilentFor(GIVEN_UP_AFTER, now);
  }

  /**
   * What was acknowledged is taken out; what is lost by it is returned, to be sent again. `worse`: an acknowledgement took so long
   * that the path may have become another.
   */
  settle(hasArrived: (piece: Sent) => boolean, now: number): { lost: Sent[]; worse: boolean } {
    let highest = -1;
    let worse = false;
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
      if (!sending.first) continue;
      const took = Math.max(now - sending.at, 0);
      worse ||= this.isWorse(took);
      this.patience.measured(took);
      this.alive = Math.max(this.alive, sending.at);
    }
    this.sendings.length = rest;
    if (this.kind === 'ordered' || highest < 0) return { lost: [], worse };
    return { lost: this.lose((sending) => sending.number + REORDERED <= highest, now), worse };
  }

  /** What has waited too long for its acknowledgement. */
  timedOut(now: number): Sent[] {
    if (now < this.timeOutAt) return [];
    const patience = this.timeOut;
    const lost = this.lose((sending) => sending.at + patience <= now, now);
    this.timeOuts += 1;
    // Is there still somebody? The answer tells sooner than the next ping in its turn.
    if (this.silence.length === 0) this.ask(1);
    return lost;
  }

  /** Forgets what is on its way here: it goes on another path. */
  forget(): void {
    this.sendings = [];
    this.timeOuts = 0;
  }

  /** Whether pings stay without an answer; `usable` follows. */
  check(now: number): void {
    if (this.isSilentFor(DEAD_AFTER, now)) this.usable = false;
  }

  /** When something is next to be done without a new event. */
  get wakeAt(): number {
    let wake = Math.min(this.pingAt, this.timeOutAt);
    const { silence } = this;
    if (this.usable && silence.length >= DEAD_PINGS) wake = Math.min(wake, (silence[0] ?? wake) + DEAD_AFTER);
    return wake;
  }

  private get pingAt(): number {
    const last = this.pings.at(-1)?.at ?? this.nextPingAt - PING_EVERY;
    if (this.pinged > 0 && this.quick > 0) return last + this.quickEvery;
    if (this.silence.length === 0) return this.nextPingAt;
    // A first answer that is late makes the path suspected, and it is asked more often.
    const every = this.usable ? QUICK_EVERY : PING_DEAD_EVERY;
    return Math.min(this.nextPingAt, Math.max(this.suspectedAt, last + every));
  }

  /** When the path becomes suspected if no ping is answered. */
  private get suspectedAt(): number {
    const [oldest] = this.silence;
    if (oldest === undefined) return Number.POSITIVE_INFINITY;
    return oldest + Math.max(2 * (this.latency.smoothed ?? 0), SUSPECTED_AT_LEAST);
  }

  /** When the pings were sent that nothing has answered: neither a pong, nor the acknowledgement of something that went later. */
  private get silence(): number[] {
    const alive = this.answered > 0 ? this.alive : Number.NEGATIVE_INFINITY;
    return this.pings.filter(({ at }) => at > alive).map(({ at }) => at);
  }

  private isSilentFor(time: number, now: number): boolean {
    const { silence } = this;
    return silence.length >= DEAD_PINGS && now - (silence[0] ?? now) >= time;
  }

  /** Takes a round trip for the comparison with other paths. Answers that come at once were held up together: the last of them tells. */
  private sampled(took: number, now: number): void {
    const together = now - this.sampledAt < TOGETHER;
    this.sampledAt = now;
    if (together) {
      const newest = this.newest.pop() ?? took;
      this.newest.push(Math.min(newest, took));
      return;
    }
    this.newest.push(took);
    if (this.newest.length > COMPARED) this.newest.shift();
  }

  private isWorse(took: number): boolean {
    const { usual } = this;
    return usual !== undefined && took > 2 * usual + WORSE_BY;
  }

  /** The middle one of the newest round trips. */
  private get usual(): number | undefined {
    return this.quantile(2);
  }

  /** The newest round trip that so many quarters of them are below. */
  private quantile(quarters: number): number | undefined {
    const sorted = [...this.newest].sort((one, other) => one - other);
    return sorted[((sorted.length - 1) * quarters) >> 2];
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
    const rest = 0.5 ** ((now - this.resolvedAt) / LOSS_HALVED);
    this.resolvedAt = now;
    this.loss = this.loss * rest + ((lost ? 1 : 0) - this.loss * rest) * LOSS_WEIGHT;
    this.lossUsually *= rest;
    this.lostInARow = lost ? this.lostInARow + 1 : 0;
    if (this.lostInARow <= OUTAGE) this.lossUsually += ((lost ? 1 : 0) - this.lossUsually) * LOSS_WEIGHT_USUALLY;
  }
}
