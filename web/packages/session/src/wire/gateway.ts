// Between a leg (applet or console) and the gateway: belay-gateway/1. Mirrors core/wire/src/gateway.rs.
import { type Bytes, Reader, unknown, WireError, Writer } from './codec';
import { fromUuid, toUuid } from './encoding';
import { type Right, readRight, rightNumber } from './right';

export const GATEWAY_NAME = 'belay-gateway/1';
/** The WebSocket subprotocol. */
export const SUBPROTOCOL = 'belay-gateway.1';
/** Largest frame in bytes, either way. */
export const MAX_FRAME = 1 << 20;
const MAX_VERSION = 64;
const MAX_PLATFORM = 64;
const MAX_SERVERS = 8;
const MAX_SERVER = 255;
const MAX_CREDENTIAL = 128;

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

export type ReportKind = 'granted' | 'refused' | 'withdrawn' | 'violation';
const REPORT_KINDS: readonly ReportKind[] = ['granted', 'refused', 'withdrawn', 'violation'];

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
  | ({ kind: 'relaying' } & Relaying)
  | { kind: 'frame'; bytes: Bytes };

/** The gateway's STUN and TURN service, good for this leg only. */
export interface Relaying {
  /** How long it is valid, from now. */
  seconds: number;
  /** Secret, like the password. */
  user: string;
  password: string;
  /** `stun:…`, `turn:…` or `turns:…` (RFC 7064, 7065). */
  servers: string[];
}

/** Kind byte of a frame for the partner, both ways. */
export const FRAME = 0x02;
const [HELLO, BYE, REPORT] = [0x01, 0x03, 0x04];
const [ADMITTED, REFUSED, PAIRED, PARTNER_LEFT, RELAYING] = [0x81, 0x82, 0x83, 0x84, 0x85];

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
    case 'relaying': {
      const w = Writer.of(RELAYING, 256).u32(frame.seconds).text(frame.user, MAX_CREDENTIAL).text(frame.password, MAX_CREDENTIAL);
      const servers = frame.servers.slice(0, MAX_SERVERS);
      w.u8(servers.length);
      for (const server of servers) w.text(server, MAX_SERVER);
      return w.finish();
    }
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
    case RELAYING: {
      const [seconds, user, password] = [r.u32(), r.text('user name', MAX_CREDENTIAL), r.text('password', MAX_CREDENTIAL)];
      const count = r.u8();
      if (count > MAX_SERVERS) throw new WireError('too_long', `${count} servers, at most ${MAX_SERVERS}`);
      const servers = Array.from({ length: count }, () => r.text('address of a server', MAX_SERVER));
      return { kind: 'relaying', seconds, user, password, servers };
    }
    case FRAME:
      return { kind: 'frame', bytes: r.remaining() };
    default:
      throw unknown('gateway frame', value);
  }
}
