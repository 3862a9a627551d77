// Mouse and keyboard, console → applet. Mirrors core/wire/src/input.rs.
import { type Reader, unknown, Writer } from './codec';

/** Longest text typed at once, in bytes. */
export const MAX_TEXT = 4096;
/** Longest text one key can make, in bytes. */
export const MAX_KEY_TEXT = 32;
/** The monitor id that stands for the whole desktop. */
export const WHOLE_DESKTOP = 255;

/** A place on a monitor: 0 is its left or top edge pixel, 65535 its right or bottom edge pixel. */
export interface Place {
  monitor: number;
  x: number;
  y: number;
}

/** Where a button or the wheel acts: there, after the pointer has gone there, or wherever the pointer is. */
export type Aim = Place | 'here';
/** The monitor's number in an aim that says 'here'; no monitor has it. */
const HERE = 254;

export type Button = 'left' | 'middle' | 'right' | 'back' | 'forward';
const BUTTONS: readonly Button[] = ['left', 'middle', 'right', 'back', 'forward'];

/** Bits of the modifiers held at the console while a key went down. */
export const MODIFIER = { shift: 1, control: 2, alt: 4, meta: 8, altGraph: 16, capsLock: 32 } as const;

/** One thing the technician did with mouse or keyboard. */
export type Input =
  | { kind: 'move'; at: Place }
  | { kind: 'press'; button: Button; down: boolean; at: Aim }
  /** In 1/120 of a wheel notch; positive is right and down. */
  | { kind: 'wheel'; dx: number; dy: number; at: Aim }
  /** `usage`: USB HID keyboard page, 0 if unknown; `text`: what the key types in the technician's layout, else empty. */
  | { kind: 'key'; down: boolean; usage: number; modifiers: number; text: string }
  | { kind: 'text'; text: string }
  | { kind: 'combination'; combination: 'ctrl_alt_del' }
  | { kind: 'release_all' }
  /** In pixels of the picture; positive is right and down. */
  | { kind: 'move_by'; dx: number; dy: number };

export const INPUT_KIND = {
  move: 0x40,
  press: 0x41,
  wheel: 0x42,
  key: 0x43,
  text: 0x44,
  combination: 0x45,
  release_all: 0x46,
  move_by: 0x47,
} as const satisfies Record<Input['kind'], number>;

function readPlace(r: Reader): Place {
  const at = readAim(r);
  if (at === 'here') throw unknown('monitor', HERE);
  return at;
}

function readAim(r: Reader): Aim {
  const at: Place = { monitor: r.u8(), x: r.u16(), y: r.u16() };
  if (at.monitor !== HERE) return at;
  if (at.x !== 0 || at.y !== 0) throw unknown('aim', at.x * 65536 + at.y);
  return 'here';
}

function writePlace(w: Writer, at: Place): Writer {
  return w.u8(at.monitor).u16(at.x).u16(at.y);
}

function writeAim(w: Writer, at: Aim): Writer {
  return writePlace(w, at === 'here' ? { monitor: HERE, x: 0, y: 0 } : at);
}

/** Appends the fields of an input to a writer that holds its kind byte. */
export function writeInput(w: Writer, input: Input): void {
  switch (input.kind) {
    case 'move':
      writePlace(w, input.at);
      return;
    case 'press':
      writeAim(w.u8(BUTTONS.indexOf(input.button) + 1).flag(input.down), input.at);
      return;
    case 'wheel':
      writeAim(w.i16(input.dx).i16(input.dy), input.at);
      return;
    case 'key':
      w.flag(input.down).u16(input.usage).u8(input.modifiers).text(input.text, MAX_KEY_TEXT);
      return;
    case 'text':
      w.text(input.text, MAX_TEXT);
      return;
    case 'combination':
      w.u8(1);
      return;
    case 'release_all':
      return;
    case 'move_by':
      w.i16(input.dx).i16(input.dy);
      return;
  }
}

/** Reads the rest of a message of this kind; `undefined` when the kind is not an input. */
export function readInput(kind: number, r: Reader): Input | undefined {
  switch (kind) {
    case INPUT_KIND.move:
      return { kind: 'move', at: readPlace(r) };
    case INPUT_KIND.press: {
      const value = r.u8();
      const button = BUTTONS[value - 1];
      if (button === undefined) throw unknown('button', value);
      return { kind: 'press', button, down: r.flag('down'), at: readAim(r) };
    }
    case INPUT_KIND.wheel:
      return { kind: 'wheel', dx: r.i16(), dy: r.i16(), at: readAim(r) };
    case INPUT_KIND.key:
      return {
        kind: 'key',
        down: r.flag('down'),
        usage: r.u16(),
        modifiers: r.u8(),
        text: r.text('key text', MAX_KEY_TEXT),
      };
    case INPUT_KIND.text:
      return { kind: 'text', text: r.text('typed text', MAX_TEXT) };
    case INPUT_KIND.combination: {
      const value = r.u8();
      if (value !== 1) throw unknown('combination', value);
      return { kind: 'combination', combination: 'ctrl_alt_del' };
    }
    case INPUT_KIND.release_all:
      return { kind: 'release_all' };
    case INPUT_KIND.move_by:
      return { kind: 'move_by', dx: r.i16(), dy: r.i16() };
    default:
      return undefined;
  }
}
