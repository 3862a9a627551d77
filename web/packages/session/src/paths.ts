// What there is to know of the way that the messages of a session take, and why it is not a better one.

/** relay: the gateway's WebSocket; relayed_udp: by TURN; direct_*: from computer to computer. */
export type PathName = 'relay' | 'relayed_udp' | 'direct_udp' | 'direct_tcp';

/**
 * Why the path is not a better one. unsupported: this browser has no data channels; trying: one is being looked for;
 * no_answer: the other program did not answer the offer; given_up: it answered that it can not; no_candidates: it named
 * no address; udp_blocked_here: nothing of UDP comes back to this computer; udp_blocked: no packet by UDP got through
 * between the two; ice_failed: addresses were there, and no pair of them worked; lost: there was a direct path, and it
 * broke; silent: there is one, and it does not answer at the moment; slower: there is one, and it was measured worse.
 */
export type PathProblem =
  | 'unsupported'
  | 'trying'
  | 'no_answer'
  | 'given_up'
  | 'no_candidates'
  | 'udp_blocked_here'
  | 'udp_blocked'
  | 'ice_failed'
  | 'lost'
  | 'silent'
  | 'slower';

/** How many addresses of each sort an end has named: its own by UDP and TCP, as seen from outside, by relay. */
export interface Candidates {
  udp: number;
  tcp: number;
  reflexive: number;
  relayed: number;
}

/** What somebody on the way has done to the packets of this pairing. Nothing of it was taken, and it did no harm. */
export interface Interference {
  /** Changed, made up, or of another session. */
  forged: number;
  /** Came once more. */
  repeated: number;
  /** Swallowed on the way; they were sent again. */
  swallowed: number;
}

export interface DirectReport {
  /** Why there is no direct path, or none by UDP; `undefined`: there is one. */
  problem: PathProblem | undefined;
  /** Attempts so far in this pairing. */
  attempts: number;
  /** When the next attempt begins by itself. */
  retryAt: Date | undefined;
  here: Candidates;
  there: Candidates;
}

/** The path in use, and what was found out about the others. */
export interface PathReport {
  kind: PathName;
  /** Milliseconds; `undefined`: not measured yet. */
  roundTrip: number | undefined;
  /** Share of what was sent that was lost, 0 to 1. */
  loss: number;
  /** Why there is no better one; `undefined`: there is none better. */
  problem: PathProblem | undefined;
  direct: DirectReport;
  interference: Interference;
}

export function noCandidates(): Candidates {
  return { udp: 0, tcp: 0, reflexive: 0, relayed: 0 };
}

export function noInterference(): Interference {
  return { forged: 0, repeated: 0, swallowed: 0 };
}

/** Counts a `candidate:…` attribute. */
export function count(candidate: string, into: Candidates): void {
  const fields = candidate.trim().split(/\s+/);
  const [protocol, type] = [fields[2]?.toLowerCase(), fields[fields.indexOf('typ') + 1]];
  if (type === 'relay') into.relayed += 1;
  else if (type === 'srflx') into.reflexive += 1;
  else if (protocol === 'tcp') into.tcp += 1;
  else if (protocol === 'udp') into.udp += 1;
}

/** Of a selected pair of candidates. */
export function kindOfPair(local: { type: string; protocol: string }, remote: { type: string; protocol: string }): PathName {
  if (local.type === 'relay' || remote.type === 'relay') return 'relayed_udp';
  return local.protocol === 'tcp' || remote.protocol === 'tcp' ? 'direct_tcp' : 'direct_udp';
}
