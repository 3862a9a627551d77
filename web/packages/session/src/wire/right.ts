// The rights an end user can grant. Mirrors core/wire/src/right.rs.
import { type Reader, unknown } from './codec';

export type Right = 'desktop_view' | 'remote_control';

/** Every right in the order of its number, which counts from 1. */
export const RIGHTS: readonly Right[] = ['desktop_view', 'remote_control'];

const ALL_BITS = (1 << RIGHTS.length) - 1;

/** The number of a right on the wire. */
export function rightNumber(right: Right): number {
  return RIGHTS.indexOf(right) + 1;
}

export function readRight(r: Reader): Right {
  const value = r.u8();
  const right = RIGHTS[value - 1];
  if (right === undefined) throw unknown('right', value);
  return right;
}

/** Reads 32 bits as a list in the order of the rights' numbers; unknown bits are refused. */
export function readRights(r: Reader): Right[] {
  const bits = r.u32();
  if ((bits & ~ALL_BITS) !== 0) throw unknown('rights', bits);
  return RIGHTS.filter((_, at) => (bits & (1 << at)) !== 0);
}

export function rightBits(rights: readonly Right[]): number {
  return RIGHTS.reduce((bits, right, at) => (rights.includes(right) ? bits | (1 << at) : bits), 0);
}
