// Packets of the link, the plaintext of every sealed frame. Mirrors core/wire/src/link.rs.
import { type Bytes, Reader, unknown, Writer } from './codec';

/** Name and version; part of the seal's transcript, so that both ends agree on it. */
export const LINK_NAME = 'belay-link/1';

/** How a message travels. */
export type Class = 'ordered' | 'input' | 'screen' | 'cursor' | 'seen';
/** Classes whose every message arrives, once and in order. */
export type ReliableClass = 'ordered' | 'input';

export const CLASS_BYTE = { ordered: 0x01, input: 0x02, screen: 0x10, cursor: 0x11, seen: 0x12 } as const;
export const CLASSES = Object.keys(CLASS_BYTE) as Class[];

export function isReliable(of: Class): of is ReliableClass {
  return of === 'ordered' || of === 'input';
}

/** What has arrived at the sender of a packet: the next number expected of each reliable class. */
export interface Acknowledgement {
  ordered: number;
  input: number;
}

/** A message in a packet, with its number within class and direction, from 0. */
export interface Carried {
  class: Class;
  number: number;
  message: Bytes;
}

export interface Packet {
  acknowledgement: Acknowledgement;
  carried: Carried | undefined;
}

export function encodePacket(acknowledgement: Acknowledgement, carried?: Carried): Bytes {
  const w = new Writer(25 + (carried?.message.length ?? 0)).u64(acknowledgement.ordered).u64(acknowledgement.input);
  if (carried !== undefined) w.u8(CLASS_BYTE[carried.class]).u64(carried.number).raw(carried.message);
  return w.finish();
}

/** Reads a packet; throws `WireError`. The message is a view of `bytes`, not a copy. */
export function decodePacket(bytes: Bytes): Packet {
  const r = new Reader(bytes);
  const acknowledgement = { ordered: r.u64(), input: r.u64() };
  if (r.isEmpty) return { acknowledgement, carried: undefined };
  const value = r.u8();
  const found = CLASSES.find((name) => CLASS_BYTE[name] === value);
  if (found === undefined) throw unknown('message class', value);
  return { acknowledgement, carried: { class: found, number: r.u64(), message: r.remaining() } };
}
