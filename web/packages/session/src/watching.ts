// How the picture runs, for whoever watches: the applet's times and ours, gathered into a report a second. Costs nothing
// while nobody watches.
import { type PathReport } from './paths';
import { type Message } from './wire/message';
import { type ScreenTimings } from './wire/screen';

/** Time between two reports, in milliseconds. */
const EVERY = 1000;
/** The applet tells nothing while nothing moves; after so many milliseconds its last word is old. */
const OLD = 3000;

/** How the picture runs: counts over the last second, times on average in milliseconds, `undefined` where nothing was drawn. */
export interface ScreenReport {
  path: PathReport;
  /** Captures drawn in a second. */
  fps: number;
  /** Bytes that came in a second, on all paths and for everything. */
  bytesPerSecond: number;
  /** What the applet tells: waiting for its turn, fetching, encoding, sealing and handing to the network. */
  applet: { wait: number; capture: number; encode: number; send: number } | undefined;
  /** Unpacking and decoding in this browser. */
  decode: number | undefined;
  /** Drawing on the canvas. */
  draw: number | undefined;
  /** How many places are shown as video at the moment. */
  films: number;
}

/** Where a report's facts come from. */
export interface Watched {
  path(): PathReport;
  /** Bytes received since the pairing began. */
  received(): number;
  /** Places that are shown as video. */
  films(): number;
  send(message: Message): void;
}

interface Sum {
  count: number;
  total: number;
}

export class Watching {
  private readonly listeners = new Set<(report: ScreenReport) => void>();
  private timer: ReturnType<typeof setInterval> | undefined;
  private since = 0;
  private receivedBefore = 0;
  private decode: Sum = nothing();
  private draw: Sum = nothing();
  private told: ScreenTimings | undefined;
  private toldAt = 0;

  constructor(private readonly of: Watched) {}

  /** Tells once a second; returns what ends that. */
  add(tell: (report: ScreenReport) => void): () => void {
    // One of its own, even if the same function listens twice.
    const listener = (report: ScreenReport): void => tell(report);
    this.listeners.add(listener);
    if (this.listeners.size === 1) this.begin();
    return () => {
      if (this.listeners.delete(listener) && this.listeners.size === 0) this.end();
    };
  }

  /** The screen was opened anew: its applet has to be told again. */
  opened(): void {
    if (this.listeners.size > 0) this.of.send({ kind: 'screen_watch', on: true });
  }

  /** A capture was drawn: milliseconds of decoding and of drawing. */
  drawn(decode: number, draw: number): void {
    if (this.timer === undefined) return;
    add(this.decode, decode);
    add(this.draw, draw);
  }

  /** What the applet tells of its stages. */
  heard(timings: ScreenTimings): void {
    this.told = timings;
    this.toldAt = performance.now();
  }

  /** The session is over. */
  close(): void {
    clearInterval(this.timer);
    this.timer = undefined;
    this.listeners.clear();
  }

  private begin(): void {
    this.restart();
    this.told = undefined;
    this.timer = setInterval(() => this.report(), EVERY);
    this.opened();
  }

  private end(): void {
    clearInterval(this.timer);
    this.timer = undefined;
    this.of.send({ kind: 'screen_watch', on: false });
  }

  private restart(): void {
    this.since = performance.now();
    this.receivedBefore = this.of.received();
    this.decode = nothing();
    this.draw = nothing();
  }

  private report(): void {
    const now = performance.now();
    const seconds = Math.max(now - this.since, 1) / 1000;
    const received = this.of.received();
    const report: ScreenReport = {
      path: this.of.path(),
      films: this.of.films(),
      fps: this.draw.count / seconds,
      // A new pairing counts from nothing.
      bytesPerSecond: Math.max(received - this.receivedBefore, 0) / seconds,
      applet: this.told === undefined || now - this.toldAt > OLD ? undefined : inMilliseconds(this.told),
      decode: mean(this.decode),
      draw: mean(this.draw),
    };
    this.restart();
    for (const listener of [...this.listeners]) listener(report);
  }
}

function nothing(): Sum {
  return { count: 0, total: 0 };
}

function add(to: Sum, milliseconds: number): void {
  to.count += 1;
  to.total += milliseconds;
}

function mean({ count, total }: Sum): number | undefined {
  return count === 0 ? undefined : total / count;
}

function inMilliseconds({ wait, capture, encode, send }: ScreenTimings): NonNullable<ScreenReport['applet']> {
  return {
    wait: wait.mean / 1000,
    capture: capture.mean / 1000,
    encode: encode.mean / 1000,
    send: send.mean / 1000,
  };
}
