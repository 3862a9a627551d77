// The console's half of finding a direct path: one WebRTC peer connection with one data channel per attempt. The rest of
// the session does not wait for it. Specification: docs/protocol/paths.md.
import { Attempt } from './direct/attempt';
import { browserPeer, type Peer, type PeerChannel, type PeerFactory } from './direct/peer';
import { type Port, type PortEvents } from './direct/port';
import { type DirectReport, noCandidates, type PathName, type PathProblem } from './paths';
import { type Relaying } from './wire/gateway';
import { type PathMessage } from './wire/message';

export { iceServers } from './direct/peer';
export type { Peer, PeerChannel, PeerFactory, Port, PortEvents };

/** Pauses before the next attempt, in milliseconds; the last one is repeated. */
export const RETRIES: readonly number[] = [5000, 15_000, 60_000, 300_000];
/** A path that lived this long was no failure: the next attempt follows at once, and the next pauses begin anew. */
const LIVED = 10_000;

/** What an end's way of making direct paths needs of its channel. */
export interface DirectHost {
  /** Whether there is a way for the signalling. */
  readonly ready: boolean;
  /** Sends a message of the signalling. */
  send(message: PathMessage): void;
  /** There is a direct path. */
  opened(port: Port): PortEvents;
  /** Something that is reported has changed. */
  changed(): void;
}

/** One end's way of making direct paths, for one pairing. */
export interface Direct {
  readonly report: DirectReport;
  /** Of the path that is open. */
  readonly kind: PathName;
  /** The pairing stands, or stands again. */
  begin(): void;
  receive(message: PathMessage): void;
  relaying(servers: Relaying): void;
  /** The network has changed; `alive`: the direct path answers nevertheless. */
  networkChanged(alive: boolean): void;
  /** The path that is open has not answered for a while: it is given up, and another is looked for. */
  silent(): void;
  close(): void;
}

export interface DirectOptions {
  peer?: PeerFactory | undefined;
  /** In place of `RETRIES`. */
  retries?: readonly number[];
  /** How long an attempt may take, in milliseconds. */
  patience?: number;
}

export class ConsoleDirect implements Direct {
  private attempt: Attempt | undefined;
  private attempts = 0;
  private servers: Relaying | undefined;
  private problem: PathProblem | undefined = 'trying';
  private retryAt: Date | undefined;
  private timer: ReturnType<typeof setTimeout> | undefined;
  private tries = 0;
  private over = false;

  constructor(
    private readonly host: DirectHost,
    private readonly options: DirectOptions = {},
  ) {}

  get report(): DirectReport {
    const { problem, attempts, retryAt } = this;
    return {
      ...{ problem: problem ?? this.attempt?.problem, attempts, retryAt },
      here: this.attempt?.here ?? noCandidates(),
      there: this.attempt?.there ?? noCandidates(),
    };
  }

  get kind(): PathName {
    return this.attempt?.kind ?? 'direct_udp';
  }

  begin(): void {
    if (this.attempt?.isOpen !== true) this.next();
  }

  networkChanged(alive: boolean): void {
    if (this.attempts === 0 || (alive && this.attempt?.isOpen === true)) return;
    this.tries = 0;
    this.next();
  }

  silent(): void {
    if (this.attempt?.isOpen === true) this.attempt.fail('lost');
  }

  relaying(servers: Relaying): void {
    const first = this.servers === undefined;
    this.servers = servers;
    // With servers it may work; what was begun without them is begun again.
    if (first && this.attempts > 0 && this.attempt?.isOpen !== true) this.next();
  }

  receive(message: PathMessage): void {
    const attempt = this.attempt;
    if (attempt?.number !== message.attempt) return;
    switch (message.kind) {
      case 'path_answer':
        attempt.answered(message.sdp);
        return;
      case 'path_candidate':
        attempt.candidate(message.candidate);
        return;
      case 'path_gone':
        attempt.fail(attempt.isOpen ? 'lost' : 'given_up');
        return;
      case 'path_offer':
        // Refused before as coming from the wrong end.
        return;
    }
  }

  close(): void {
    this.over = true;
    clearTimeout(this.timer);
    this.attempt?.close();
  }

  private next(): void {
    clearTimeout(this.timer);
    this.timer = undefined;
    this.retryAt = undefined;
    // When the pairing stands again, it begins anew.
    if (this.over || !this.host.ready) return;
    this.attempt?.close();
    const make = this.options.peer ?? browserPeer();
    if (make === undefined) {
      this.problem = 'unsupported';
      this.host.changed();
      return;
    }
    this.attempts += 1;
    this.problem = 'trying';
    let port: PortEvents | undefined;
    const attempt: Attempt = new Attempt(this.attempts, make, this.servers, this.options.patience, {
      send: (message) => this.host.send(message),
      opened: (opened) => {
        this.problem = undefined;
        port = this.host.opened(opened);
        this.host.changed();
      },
      frame: (frame) => port?.frame(frame),
      free: () => port?.free(),
      changed: () => this.host.changed(),
      ended: (problem, lived) => {
        port?.closed();
        port = undefined;
        if (this.attempt === attempt && problem !== undefined) this.failed(problem, lived);
      },
    });
    this.attempt = attempt;
    attempt.start();
    this.host.changed();
  }

  private failed(problem: PathProblem, lived: number): void {
    this.problem = problem;
    if (problem !== 'unsupported') {
      const retries = this.options.retries ?? RETRIES;
      if (lived >= LIVED) this.tries = 0;
      const pause = lived >= LIVED ? 0 : (retries[Math.min(this.tries, retries.length - 1)] ?? 0);
      if (lived < LIVED) this.tries += 1;
      this.retryAt = new Date(Date.now() + pause);
      this.timer = setTimeout(() => this.next(), pause);
    }
    this.host.changed();
  }
}
