// Between a leg (applet or console) and the gateway: belay-gateway/1. Mirrors core/wire/src/gateway.rs.
import { type Bytes, Reader, unknown, Writer } from './codec';
import { fromUuid, toUuid } from './encoding';
import { type Right, readRight, rightNumber } from './right';

export const GATEWAY_NAME = 'belay-gateway/1';
/** The WebSocket subprotocol. */
export const SUBPROTOCOL = 'belay-gateway.1';
/** Largest frame in bytes, either way. */
export const MAX_FRAME = 1 << 20;
const MAX_VERSION = 64;
const MAX_PLATFORM = 64;

export type Role = 'applet' | 'console';
const ROLES: readonly Role[] = ['applet', 'console'];

/** Why a leg is not admitted, or is put out. */
export type Refusal =
  | 'unknown'
  | 'used'
  | 'expired'
  | 'foreign'
  | 'full'
  | 'protocol'
  | 'slow_down'
  | 'unavailable'
  | 'replaced';
export const REFUSALS: readonly Refusal[] = [
  'unknown',
  'used',
  'expired',
  'foreign',
  'full',
  'protocol',
  'slow_down',
  'unavailable',
  'replaced',
];

export type ReportKind = 'granted' | 'refused' | 'withdrawn' | 'violation' | 'tampered';
const REPORT_KINDS: readonly ReportKind[] = ['granted', 'refused', 'withdrawn', 'violation', 'tampered'];

/** Why a leg goes. */
export type Leaving = 'lost' | 'ended_by_end_user' | 'ended_by_technician' | 'closed';
const LEAVINGS: readonly Leaving[] = ['lost', 'ended_by_end_user', 'ended_by_technician', 'closed'];

/** From a leg to the gateway. */
export type ToGateway =
  | {
      kind: 'hello';
      role: Role;
      /** UUID text. */
      account: string;
      /** 16 bytes for an applet, 32 for a console or a leg that comes back. Secret. */
      credential: Bytes;
      version: string;
      platform: string;
    }
  | { kind: 'frame'; bytes: Bytes }
  | { kind: 'bye'; reason: Leaving }
  | { kind: 'report'; report: ReportKind; right: Right };

/** From the gateway to a leg. */
export type FromGateway =
  /** `returnTicket`: 32 bytes, the credential with which this leg comes back once. Secret. */
  | { kind: 'admitted'; session: string; returnTicket: Bytes }
  | { kind: 'refused'; refusal: Refusal }
  | { kind: 'paired'; pairing: number }
  | { kind: 'partner_left'; reason: Leaving }
  | { kind: 'frame'; bytes: Bytes };

/** Kind byte of a frame for the partner, both ways. */
export const FRAME = 0x02;
const [HELLO, BYE, REPORT] = [0x01, 0x03, 0x04];
const [ADMITTED, REFUSED, PAIRED, PARTNER_LEFT] = [0x81, 0x82, 0x83, 0x84];

function readNumbered<T>(r: Reader, what: string, all: readonly T[]): T {
  const value = r.u8();
  const found = all[value - 1];
  if (found === undefined) throw unknown(what, value);
  return found;
}

export function encodeToGateway(frame: ToGateway): Bytes {
  switch (frame.kind) {
    case 'hello':
      return Writer.of(HELLO, 128)
        .text(GATEWAY_NAME, MAX_VERSION)
        .u8(ROLES.indexOf(frame.role) + 1)
        .raw(fromUuid(frame.account))
        .prefixed(frame.credential)
        .text(frame.version, MAX_VERSION)
        .text(frame.platform, MAX_PLATFORM)
        .finish();
    case 'frame':
      return Writer.of(FRAME, 1 + frame.bytes.length).raw(frame.bytes).finish();
    case 'bye':
      return Writer.of(BYE).u8(LEAVINGS.indexOf(frame.reason) + 1).finish();
    case 'report':
      return Writer.of(REPORT)
        .u8(REPORT_KINDS.indexOf(frame.report) + 1)
        .u8(rightNumber(frame.right))
        .finish();
  }
}

/** Reads a frame of a leg; throws `WireError`. */
export function decodeToGateway(bytes: Bytes): ToGateway {
  const r = new Reader(bytes);
  const frame = readToGateway(r);
  r.finish();
  return frame;
}

function readToGateway(r: Reader): ToGateway {
  const value = r.u8();
  switch (value) {
    case HELLO: {
      if (r.text('protocol name', MAX_VERSION) !== GATEWAY_NAME) throw unknown('protocol version', 0);
      return {
        kind: 'hello',
        role: readNumbered(r, 'role', ROLES),
        account: toUuid(r.take(16)),
        credential: r.prefixed('credential', 32),
        version: r.text('version', MAX_VERSION),
        platform: r.text('platform', MAX_PLATFORM),
      };
    }
    case FRAME:
      return { kind: 'frame', bytes: r.remaining() };
    case BYE:
      return { kind: 'bye', reason: readNumbered(r, 'leaving reason', LEAVINGS) };
    case REPORT:
      return { kind: 'report', report: readNumbered(r, 'report kind', REPORT_KINDS), right: readRight(r) };
    default:
      throw unknown('gateway frame', value);
  }
}

export function encodeFromGateway(frame: FromGateway): Bytes {
  switch (frame.kind) {
    case 'admitted':
      return Writer.of(ADMITTED, 64).raw(fromUuid(frame.session)).raw(frame.returnTicket).finish();
    case 'refused':
      return Writer.of(REFUSED).u8(REFUSALS.indexOf(frame.refusal) + 1).finish();
    case 'paired':
      return Writer.of(PAIRED).u32(frame.pairing).finish();
    case 'partner_left':
      return Writer.of(PARTNER_LEFT).u8(LEAVINGS.indexOf(frame.reason) + 1).finish();
    case 'frame':
      return Writer.of(FRAME, 1 + frame.bytes.length).raw(frame.bytes).finish();
  }
}

/** Reads a frame of the gateway; throws `WireError`. */
export function decodeFromGateway(bytes: Bytes): FromGateway {
  const r = new Reader(bytes);
  const frame = readFromGateway(r);
  r.finish();
  return frame;
}

function readFromGateway(r: Reader): FromGateway {
  const value = r.u8();
  switch (value) {
    case ADMITTED:
      return { kind: 'admitted', session: toUuid(r.take(16)), returnTicket: r.take(32) };
    case REFUSED:
      return { kind: 'refused', refusal: readNumbered(r, 'refusal', REFUSALS) };
    case PAIRED:
      return { kind: 'paired', pairing: r.u32() };
    case PARTNER_LEFT:
      return { kind: 'partner_left', reason: readNumbered(r, 'leaving reason', LEAVINGS) };
    case FRAME:
      return { kind: 'frame', bytes: r.remaining() };
    default:
      throw unknown('gateway frame', value);
  }
}
