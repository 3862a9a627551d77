// What console and applet say to each other inside the link: belay-session/1. Mirrors core/wire/src/message.rs.
import { type Bytes, Reader, unknown, WireError, Writer } from './codec';
import { type Input, INPUT_KIND, readInput, writeInput } from './input';
import { type Class } from './link';
import { type Right, readRight, readRights, rightBits, rightNumber } from './right';
import {
  type CursorShape,
  type Monitor,
  readCursorShape,
  readMonitors,
  readScreenTimings,
  readScreenUpdate,
  readVideoFormat,
  type ScreenTimings,
  type ScreenUpdate,
  type VideoFormat,
  writeCursorShape,
  writeMonitors,
  writeScreenTimings,
  writeScreenUpdate,
  writeVideoFormat,
} from './screen';

/** Longest charter document in bytes. */
export const MAX_CHARTER = 4096;
/** Longest chat line in bytes. */
export const MAX_CHAT = 4096;
/** Longest description of a peer connection, in bytes. */
export const MAX_SDP = 16_384;
/** Longest candidate, in bytes. */
export const MAX_CANDIDATE = 512;
const MAX_NAME = 128;

export type Outcome = 'granted' | 'refused' | 'timed_out' | 'not_allowed' | 'busy' | 'out_of_order';
const OUTCOMES: readonly Outcome[] = ['granted', 'refused', 'timed_out', 'not_allowed', 'busy', 'out_of_order'];

/** Why rights ended. */
export type Cause = 'end_user' | 'technician' | 'dependent' | 'failure' | 'offline';
const CAUSES: readonly Cause[] = ['end_user', 'technician', 'dependent', 'failure', 'offline'];

/** What the applet thinks of a charter: good, not signed by its website, unreadable, of another session, out of its time. */
export type CharterVerdict = 'accepted' | 'signature' | 'document' | 'foreign' | 'time';
const CHARTER_VERDICTS: readonly CharterVerdict[] = ['accepted', 'signature', 'document', 'foreign', 'time'];

export type EndedBy = 'end_user' | 'technician';
const ENDED_BY: readonly EndedBy[] = ['end_user', 'technician'];

/** How the two ends find a direct path: docs/protocol/paths.md. */
export type PathMessage =
  | { kind: 'path_offer'; attempt: number; sdp: string }
  | { kind: 'path_answer'; attempt: number; sdp: string }
  /** `candidate` without `a=`; empty: there are no more. */
  | { kind: 'path_candidate'; attempt: number; candidate: string }
  | { kind: 'path_gone'; attempt: number };

/** A message between console and applet. */
export type Message =
  | { kind: 'charter'; document: Bytes; signature: Bytes }
  | { kind: 'chat'; line: Bytes; text: string }
  | { kind: 'typing'; on: boolean }
  | { kind: 'end'; by: EndedBy }
  | { kind: 'request'; request: number; rights: Right[] }
  | { kind: 'cancel'; request: number }
  | { kind: 'release'; rights: Right[] }
  | { kind: 'decision'; request: number; rights: Right[]; outcome: Outcome }
  | { kind: 'withdrawn'; rights: Right[]; cause: Cause }
  | { kind: 'denied'; right: Right; refused: number }
  | { kind: 'charter_checked'; verdict: CharterVerdict }
  | { kind: 'link_proof'; proof: Bytes }
  | { kind: 'link_proved'; proof: Bytes }
  | { kind: 'no_link_secret' }
  | { kind: 'welcome'; version: string; platform: string; language: string }
  | { kind: 'screen_open'; monitor: number; video: VideoFormat }
  | { kind: 'screen_close' }
  | { kind: 'monitors'; chosen: number; list: Monitor[] }
  | ({ kind: 'cursor_shape' } & CursorShape)
  | { kind: 'screen_resync' }
  | { kind: 'screen_wanted'; monitor: number; video: VideoFormat }
  | { kind: 'screen_watch'; on: boolean }
  | ({ kind: 'screen_timings' } & ScreenTimings)
  | ({ kind: 'screen_update' } & ScreenUpdate)
  | { kind: 'cursor_position'; x: number; y: number }
  | { kind: 'screen_seen'; number: number }
  | PathMessage
  | Input;

export type Sender = 'console' | 'applet' | 'either';

/** Kind byte, class and sender of every message. */
export const MESSAGES = {
  charter: { byte: 0x01, class: 'ordered', sender: 'console' },
  chat: { byte: 0x02, class: 'ordered', sender: 'either' },
  typing: { byte: 0x03, class: 'ordered', sender: 'either' },
  end: { byte: 0x04, class: 'ordered', sender: 'either' },
  request: { byte: 0x10, class: 'ordered', sender: 'console' },
  cancel: { byte: 0x11, class: 'ordered', sender: 'console' },
  release: { byte: 0x12, class: 'ordered', sender: 'console' },
  decision: { byte: 0x13, class: 'ordered', sender: 'applet' },
  withdrawn: { byte: 0x14, class: 'ordered', sender: 'applet' },
  denied: { byte: 0x15, class: 'ordered', sender: 'applet' },
  charter_checked: { byte: 0x16, class: 'ordered', sender: 'applet' },
  link_proof: { byte: 0x17, class: 'ordered', sender: 'console' },
  link_proved: { byte: 0x18, class: 'ordered', sender: 'applet' },
  no_link_secret: { byte: 0x19, class: 'ordered', sender: 'applet' },
  welcome: { byte: 0x20, class: 'ordered', sender: 'applet' },
  screen_open: { byte: 0x21, class: 'ordered', sender: 'console' },
  screen_close: { byte: 0x22, class: 'ordered', sender: 'console' },
  monitors: { byte: 0x23, class: 'ordered', sender: 'applet' },
  cursor_shape: { byte: 0x24, class: 'ordered', sender: 'applet' },
  screen_resync: { byte: 0x25, class: 'ordered', sender: 'console' },
  screen_wanted: { byte: 0x26, class: 'ordered', sender: 'console' },
  path_offer: { byte: 0x30, class: 'ordered', sender: 'console' },
  path_answer: { byte: 0x31, class: 'ordered', sender: 'applet' },
  path_candidate: { byte: 0x32, class: 'ordered', sender: 'either' },
  path_gone: { byte: 0x33, class: 'ordered', sender: 'either' },
  screen_watch: { byte: 0x50, class: 'ordered', sender: 'console' },
  screen_timings: { byte: 0x51, class: 'ordered', sender: 'applet' },
  screen_update: { byte: 0x60, class: 'screen', sender: 'applet' },
  cursor_position: { byte: 0x61, class: 'cursor', sender: 'applet' },
  screen_seen: { byte: 0x62, class: 'seen', sender: 'console' },
  move: { byte: INPUT_KIND.move, class: 'input', sender: 'console' },
  press: { byte: INPUT_KIND.press, class: 'input', sender: 'console' },
  wheel: { byte: INPUT_KIND.wheel, class: 'input', sender: 'console' },
  key: { byte: INPUT_KIND.key, class: 'input', sender: 'console' },
  text: { byte: INPUT_KIND.text, class: 'input', sender: 'console' },
  combination: { byte: INPUT_KIND.combination, class: 'input', sender: 'console' },
  release_all: { byte: INPUT_KIND.release_all, class: 'input', sender: 'console' },
  move_by: { byte: INPUT_KIND.move_by, class: 'input', sender: 'console' },
} as const satisfies Record<Message['kind'], { byte: number; class: Class; sender: Sender }>;

const KIND_OF_BYTE = new Map<number, Message['kind']>(
  (Object.keys(MESSAGES) as Message['kind'][]).map((kind) => [MESSAGES[kind].byte, kind]),
);

function readNumbered<T>(r: Reader, what: string, all: readonly T[]): T {
  const value = r.u8();
  const found = all[value - 1];
  if (found === undefined) throw unknown(what, value);
  return found;
}

/** The message's bytes, kind byte first. */
export function encodeMessage(message: Message): Bytes {
  const w = Writer.of(MESSAGES[message.kind].byte);
  switch (message.kind) {
    case 'charter':
      w.prefixed(message.document).raw(message.signature);
      break;
    case 'chat':
      w.raw(message.line).text(message.text, MAX_CHAT);
      break;
    case 'typing':
      w.flag(message.on);
      break;
    case 'end':
      w.u8(ENDED_BY.indexOf(message.by) + 1);
      break;
    case 'request':
      w.u32(message.request).u32(rightBits(message.rights));
      break;
    case 'cancel':
      w.u32(message.request);
      break;
    case 'release':
      w.u32(rightBits(message.rights));
      break;
    case 'decision':
      w.u32(message.request).u32(rightBits(message.rights)).u8(OUTCOMES.indexOf(message.outcome) + 1);
      break;
    case 'withdrawn':
      w.u32(rightBits(message.rights)).u8(CAUSES.indexOf(message.cause) + 1);
      break;
    case 'denied':
      w.u8(rightNumber(message.right)).u8(message.refused);
      break;
    case 'charter_checked':
      w.u8(CHARTER_VERDICTS.indexOf(message.verdict) + 1);
      break;
    case 'link_proof':
    case 'link_proved':
      w.raw(message.proof);
      break;
    case 'no_link_secret':
      break;
    case 'welcome':
      w.text(message.version, MAX_NAME).text(message.platform, MAX_NAME).text(message.language, MAX_NAME);
      break;
    case 'screen_open':
    case 'screen_wanted':
      writeVideoFormat(w.u8(message.monitor), message.video);
      break;
    case 'screen_close':
    case 'screen_resync':
      break;
    case 'monitors':
      writeMonitors(w, message.chosen, message.list);
      break;
    case 'cursor_shape':
      writeCursorShape(w, message);
      break;
    case 'screen_watch':
      w.flag(message.on);
      break;
    case 'screen_timings':
      writeScreenTimings(w, message);
      break;
    case 'screen_update':
      writeScreenUpdate(w, message);
      break;
    case 'cursor_position':
      w.u16(message.x).u16(message.y);
      break;
    case 'screen_seen':
      w.u32(message.number);
      break;
    case 'path_offer':
    case 'path_answer':
      w.u32(message.attempt).text(message.sdp, MAX_SDP);
      break;
    case 'path_candidate':
      w.u32(message.attempt).text(message.candidate, MAX_CANDIDATE);
      break;
    case 'path_gone':
      w.u32(message.attempt);
      break;
    default:
      writeInput(w, message);
  }
  return w.finish();
}

/** Reads a message; throws `WireError`. Byte fields are views of `bytes`, not copies. */
export function decodeMessage(bytes: Bytes): Message {
  const r = new Reader(bytes);
  const byte = r.u8();
  const kind = KIND_OF_BYTE.get(byte);
  if (kind === undefined) throw unknown('message kind', byte);
  const message = readFields(kind, byte, r);
  r.finish();
  return message;
}

function readFields(kind: Message['kind'], byte: number, r: Reader): Message {
  switch (kind) {
    case 'charter':
      return { kind, document: r.prefixed('charter', MAX_CHARTER), signature: r.take(64) };
    case 'chat':
      return { kind, line: r.take(16), text: r.text('chat line', MAX_CHAT) };
    case 'typing':
      return { kind, on: r.flag('typing') };
    case 'end':
      return { kind, by: readNumbered(r, 'end', ENDED_BY) };
    case 'request':
      return { kind, request: r.u32(), rights: readRights(r) };
    case 'cancel':
      return { kind, request: r.u32() };
    case 'release':
      return { kind, rights: readRights(r) };
    case 'decision':
      return { kind, request: r.u32(), rights: readRights(r), outcome: readNumbered(r, 'outcome', OUTCOMES) };
    case 'withdrawn':
      return { kind, rights: readRights(r), cause: readNumbered(r, 'cause', CAUSES) };
    case 'denied':
      return { kind, right: readRight(r), refused: r.u8() };
    case 'charter_checked':
      return { kind, verdict: readNumbered(r, 'charter verdict', CHARTER_VERDICTS) };
    case 'link_proof':
    case 'link_proved':
      return { kind, proof: r.take(32) };
    case 'no_link_secret':
      return { kind };
    case 'welcome':
      return {
        kind,
        version: r.text('version', MAX_NAME),
        platform: r.text('platform', MAX_NAME),
        language: r.text('language', MAX_NAME),
      };
    case 'screen_open':
    case 'screen_wanted':
      return { kind, monitor: r.u8(), video: readVideoFormat(r) };
    case 'screen_close':
    case 'screen_resync':
      return { kind };
    case 'monitors':
      return { kind, ...readMonitors(r) };
    case 'cursor_shape':
      return { kind, ...readCursorShape(r) };
    case 'screen_watch':
      return { kind, on: r.flag('watch') };
    case 'screen_timings':
      return { kind, ...readScreenTimings(r) };
    case 'screen_update':
      return { kind, ...readScreenUpdate(r) };
    case 'cursor_position':
      return { kind, x: r.u16(), y: r.u16() };
    case 'screen_seen':
      return { kind, number: r.u32() };
    case 'path_offer':
    case 'path_answer':
      return { kind, attempt: r.u32(), sdp: r.text('description', MAX_SDP) };
    case 'path_candidate':
      return { kind, attempt: r.u32(), candidate: r.text('candidate', MAX_CANDIDATE) };
    case 'path_gone':
      return { kind, attempt: r.u32() };
    case 'move':
    case 'press':
    case 'wheel':
    case 'key':
    case 'text':
    case 'combination':
    case 'release_all':
    case 'move_by': {
      const input = readInput(byte, r);
      if (input === undefined) throw unknown('message kind', byte);
      return input;
    }
  }
}

/** Whether these bytes are one of the messages that the ends of the link handle themselves. */
export function isPathMessage(bytes: Bytes): boolean {
  const byte = bytes[0] ?? 0;
  return byte >= MESSAGES.path_offer.byte && byte <= MESSAGES.path_gone.byte;
}

/** Reads a message that must come from this end, in this class; one from the wrong end or in another class is a breach. */
export function decodeMessageFrom(sender: 'console' | 'applet', bytes: Bytes, of: Class): Message {
  const message = decodeMessage(bytes);
  const expected = MESSAGES[message.kind];
  if (expected.sender !== 'either' && expected.sender !== sender) {
    throw new WireError('unknown', `message ${message.kind} must not come from the ${sender}`);
  }
  if (expected.class !== of) {
    throw new WireError('unknown', `message ${message.kind} must not come as ${of}`);
  }
  return message;
}
