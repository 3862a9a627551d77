// The connection report: every finding has words, and the numbers are round.
import type { PathName, PathProblem, PathReport } from '@belay/session';
import { de, en } from '@belay/messages/console';
import { describe, expect, test } from 'vitest';
import { advice, hasAny, isDisturbed, losesMuch, milliseconds, works } from '../src/lib/path';

const problems: Record<PathProblem, true> = {
  ...{ unsupported: true, trying: true, no_answer: true, given_up: true, no_candidates: true, udp_blocked_here: true },
  ...{ udp_blocked: true, ice_failed: true, lost: true, silent: true, slower: true },
};
const kinds: PathName[] = ['relay', 'relayed_udp', 'direct_udp', 'direct_tcp'];

describe.each(Object.keys(problems) as PathProblem[])('%s', (problem) => {
  test('has words for why, and for what to do', () => {
    for (const words of [en, de]) expect([words[`path_why_${problem}`], words[advice(problem)]]).not.toContain(undefined);
  });
});

test('the names of the paths are the ones that tests know', () => {
  expect(kinds.map((kind) => en[`path_${kind}`])).toEqual(['relay', 'relayed UDP', 'direct UDP', 'direct TCP']);
});

test('what works is told from what was found', () => {
  const none = { udp: 1, tcp: 1, reflexive: 0, relayed: 0 };
  const path = (kind: PathName, problem: PathProblem | undefined, here = none, attempts = 1): PathReport =>
    ({ kind, problem, direct: { here, attempts } }) as PathReport;
  expect(works(path('relay', 'unsupported', none, 0))).toEqual({ udp: 'unknown', turn: 'unknown' });
  expect(works(path('relay', 'trying'))).toEqual({ udp: 'unknown', turn: 'unknown' });
  expect(works(path('relay', 'udp_blocked_here'))).toEqual({ udp: 'no', turn: 'no' });
  expect(works(path('relay', 'ice_failed', { ...none, reflexive: 1, relayed: 2 }))).toEqual({ udp: 'yes', turn: 'yes' });
  expect(works(path('direct_udp', undefined))).toEqual({ udp: 'yes', turn: 'no' });
  expect(works(path('relayed_udp', 'udp_blocked_here', { ...none, relayed: 1 }))).toEqual({ udp: 'no', turn: 'yes' });
});

test('any sort of interference is told', () => {
  const quiet = { interference: { forged: 0, repeated: 0, swallowed: 0 } } as PathReport;
  expect(isDisturbed(quiet)).toBe(false);
  for (const sort of ['forged', 'repeated', 'swallowed'] as const) {
    expect(isDisturbed({ ...quiet, interference: { ...quiet.interference, [sort]: 1 } })).toBe(true);
  }
});

test('numbers are round', () => {
  expect([milliseconds(0.2), milliseconds(11.6)]).toEqual([1, 12]);
  const path = { kind: 'direct_udp', loss: 0.019 } as PathReport;
  expect([losesMuch(path), losesMuch({ ...path, loss: 0.02 }), losesMuch({ ...path, kind: 'relay', loss: 1 })]).toEqual([false, true, false]);
  const none = { udp: 0, tcp: 0, reflexive: 0, relayed: 0 };
  expect([hasAny(none), hasAny({ ...none, tcp: 1 })]).toEqual([false, true]);
});
