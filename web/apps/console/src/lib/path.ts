// What the connection report says: which words belong to what was found out, and the numbers in them.
import type { Candidates, PathProblem, PathReport } from '@belay/session';

/** Problems that mend themselves, or that nobody at the console can mend. */
const NOTHING_TO_DO: ReadonlySet<PathProblem> = new Set(['trying', 'no_answer', 'given_up', 'silent', 'slower']);

type Mendable = Exclude<PathProblem, 'trying' | 'no_answer' | 'given_up' | 'silent' | 'slower'>;

/** Key of the text that says what the technician could do. */
export function advice(problem: PathProblem): `path_do_${Mendable | 'nothing'}` {
  return NOTHING_TO_DO.has(problem) ? 'path_do_nothing' : `path_do_${problem as Mendable}`;
}

/** A share that is worth a word to the technician. */
const MUCH_LOST = 0.02;

export function losesMuch({ kind, loss }: PathReport): boolean {
  return kind !== 'relay' && loss >= MUCH_LOST;
}

/** What works between this browser and the server; `unknown`: nobody has tried yet, or cannot. */
export type Works = 'yes' | 'no' | 'unknown';

/** Datagrams to the server and back, and their relay. Names, TCP and TLS work, or the page would not be connected. */
export function works({ kind, problem, direct: { here, attempts } }: PathReport): { udp: Works; turn: Works } {
  if (attempts === 0) return { udp: 'unknown', turn: 'unknown' };
  const found = (count: number): Works => (count > 0 ? 'yes' : problem === 'trying' ? 'unknown' : 'no');
  const udp = kind === 'direct_udp' || problem === 'udp_blocked' ? 'yes' : found(here.reflexive);
  return { udp: problem === 'udp_blocked_here' ? 'no' : udp, turn: kind === 'relayed_udp' ? 'yes' : found(here.relayed) };
}

/** Whether somebody on the way changes, repeats or swallows what is sent. */
export function isDisturbed({ interference: { forged, repeated, swallowed } }: PathReport): boolean {
  return forged + repeated + swallowed > 0;
}

/** Whole milliseconds, at least one. */
export function milliseconds(roundTrip: number): number {
  return Math.max(1, Math.round(roundTrip));
}

export function hasAny({ udp, tcp, reflexive, relayed }: Candidates): boolean {
  return udp + tcp + reflexive + relayed > 0;
}
