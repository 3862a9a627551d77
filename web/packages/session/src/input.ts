// Mouse and keyboard of the technician, as input messages. Everything is sent at once; only moves are held back while
// the network has not taken what was sent before: then of places only the newest counts, and steps add up.
import { isModifier, textOf, usageOf } from './keys';
import { cutText, utf8 } from './wire/codec';
import { type Aim, type Button, type Input, MAX_TEXT, MODIFIER, type Place } from './wire/input';

/** Where input goes. */
export interface InputTarget {
  send(input: Input): void;
  /** Whether the network has not yet taken what was sent. */
  congested(): boolean;
  /** How many inputs the other computer has not confirmed yet. */
  unconfirmed(): number;
  /** The monitor whose picture is shown. */
  monitor(): number;
}

/** Bits of `MouseEvent.buttons`. */
const BUTTONS: readonly [bit: number, button: Button][] = [
  [1, 'left'],
  [4, 'middle'],
  [2, 'right'],
  [8, 'back'],
  [16, 'forward'],
];
const META_USAGES: ReadonlySet<number> = new Set([0xe3, 0xe7]);
const CONTROL_LEFT = 0xe0;
const RETRY_MOVE = 4;
/** The longest step of one message. */
const MAX_STEP = 32767;
/** A held key repeats no further ahead of the other computer than this: it must not run on when it has come up. */
const MAX_AHEAD = 8;

/**
 * How far a `WheelEvent` turns one way, in 1/120 of a notch: `delta` in units of `mode`, and `counted` as in `wheelDelta`, where the
 * browser says it.
 */
export function turnOf(delta: number, mode: number, counted = 0): number {
  // Whole notches are counted so, except for touch pads on macOS, where it is three times the pixels. How many pixels a notch is differs.
  const notches = counted % 120 === 0 && counted * delta < 0 && counted !== -3 * delta;
  if (notches) return -counted;
  return delta * (mode === 0 ? 120 / 100 : mode === 1 ? 120 / 3 : 120 * 3);
}

/** Forwards the mouse: buttons, moves and the wheel. */
export class Pointer {
  private pressed = 0;
  private waiting: Place | undefined;
  private timer: ReturnType<typeof setTimeout> | undefined;
  /** Steps that are not sent yet, and parts of a pixel. */
  private readonly steps = { x: 0, y: 0 };
  private readonly wheelRest = { x: 0, y: 0 };

  constructor(private readonly target: InputTarget) {}

  /** The pointer is here, with these buttons (as in `MouseEvent.buttons`) down. */
  at(place: Place, buttons: number): void {
    if (!this.changes(buttons)) {
      this.move(place);
      return;
    }
    this.forget();
    this.press(place, buttons);
  }

  /** The mouse moved by so many pixels, wherever the pointer is, with these buttons down. */
  by(dx: number, dy: number, buttons: number): void {
    this.steps.x += dx;
    this.steps.y += dy;
    if (this.changes(buttons)) {
      this.flush();
      this.press('here', buttons);
    } else if (this.target.congested()) this.later();
    else this.flush();
  }

  /** The wheel turned, by so many 1/120 of a notch. */
  wheel(at: Aim, right: number, down: number): void {
    const dx = this.turned('x', right);
    const dy = this.turned('y', down);
    if (dx === 0 && dy === 0) return;
    if (at === 'here') this.flush();
    else this.forget();
    this.target.send({ kind: 'wheel', dx, dy, at });
  }

  /** Sends the held-back moves now: something that follows must find the pointer in its place. */
  flush(): void {
    const place = this.waiting;
    this.stopWaiting();
    if (place !== undefined) this.target.send({ kind: 'move', at: place });
    for (;;) {
      const [dx, dy] = [this.step('x'), this.step('y')];
      if (dx === 0 && dy === 0) return;
      this.target.send({ kind: 'move_by', dx, dy });
    }
  }

  /** Every button is up again; whoever calls sends the message that says so. */
  reset(): void {
    this.pressed = 0;
    this.forget();
  }

  private changes(buttons: number): boolean {
    return ((buttons ^ this.pressed) & 31) !== 0;
  }

  private press(at: Aim, buttons: number): void {
    const changed = buttons ^ this.pressed;
    this.pressed = buttons;
    for (const [bit, button] of BUTTONS) {
      if ((changed & bit) !== 0) this.target.send({ kind: 'press', button, down: (buttons & bit) !== 0, at });
    }
  }

  private move(place: Place): void {
    this.forget();
    this.waiting = place;
    if (this.target.congested()) this.later();
    else this.flush();
  }

  private later(): void {
    this.timer ??= setTimeout(() => {
      this.timer = undefined;
      if (this.target.congested()) this.later();
      else this.flush();
    }, RETRY_MOVE);
  }

  /** What waits is over: a place makes steps before it void too. */
  private forget(): void {
    this.stopWaiting();
    this.steps.x = 0;
    this.steps.y = 0;
  }

  private stopWaiting(): void {
    this.waiting = undefined;
    clearTimeout(this.timer);
    this.timer = undefined;
  }

  /** The whole pixels of the next step; what is left stays for the one after it. */
  private step(axis: 'x' | 'y'): number {
    const whole = Math.min(Math.max(Math.trunc(this.steps[axis]), -MAX_STEP), MAX_STEP);
    this.steps[axis] -= whole;
    return whole;
  }

  /** Whole units only; the rest is kept for the next turn. */
  private turned(axis: 'x' | 'y', delta: number): number {
    const sum = this.wheelRest[axis] + delta;
    const whole = Math.min(Math.max(Math.trunc(sum), -32768), 32767);
    this.wheelRest[axis] = Math.abs(sum - whole) < 1 ? sum - whole : 0;
    return whole;
  }
}

/** What is used of a `KeyboardEvent`. */
export type KeyEvent = Pick<
  KeyboardEvent,
  'code' | 'key' | 'repeat' | 'isComposing' | 'timeStamp' | 'getModifierState'
>;

/** Forwards the keyboard, also the repetitions of a held key: the other computer has none of its own. */
export class Keyboard {
  private readonly held = new Map<string, { usage: number; since: number }>();

  constructor(private readonly target: InputTarget) {}

  /** A key went down. `false`: it belongs to a composition, whose result comes as text. */
  down(event: KeyEvent): boolean {
    if (event.isComposing || event.key === 'Dead' || event.key === 'Process') return false;
    const usage = usageOf(event.code);
    const text = textOf(event.key);
    if (usage === 0 && text === '') return true;
    if (event.repeat && !this.mayRepeat(event, usage)) return true;
    // Windows reports AltGr as the left Ctrl and the right Alt at the same moment: take that Ctrl back.
    const control = this.held.get('ControlLeft');
    if (event.code === 'AltRight' && control !== undefined && Math.abs(event.timeStamp - control.since) < 5) {
      this.held.delete('ControlLeft');
      this.target.send({ kind: 'key', down: false, usage: CONTROL_LEFT, modifiers: 0, text: '' });
    }
    if (!event.repeat) this.held.set(nameOf(event), { usage, since: event.timeStamp });
    this.target.send({ kind: 'key', down: true, usage, modifiers: modifiersOf(event), text });
    return true;
  }

  up(event: KeyEvent): void {
    const name = nameOf(event);
    const held = this.held.get(name);
    if (held === undefined) return;
    this.held.delete(name);
    const modifiers = modifiersOf(event);
    if (META_USAGES.has(held.usage)) {
      // macOS swallows the release of keys that go up while Command is held.
      for (const [other, { usage }] of this.held) {
        if (isModifier(usage)) continue;
        this.held.delete(other);
        this.target.send({ kind: 'key', down: false, usage, modifiers, text: '' });
      }
    }
    this.target.send({ kind: 'key', down: false, usage: held.usage, modifiers, text: '' });
  }

  /** Every key is up again; whoever calls sends the message that says so. */
  reset(): void {
    this.held.clear();
  }

  /** A key that went down elsewhere, or was let go of meanwhile, must not come down by its repetitions. */
  private mayRepeat(event: KeyEvent, usage: number): boolean {
    return this.held.has(nameOf(event)) && !isModifier(usage) && this.target.unconfirmed() < MAX_AHEAD;
  }
}

/** Keys without a code (some virtual keyboards) are told apart by what they type. */
function nameOf(event: KeyEvent): string {
  return event.code === '' ? `key ${event.key}` : event.code;
}

function modifiersOf(event: KeyEvent): number {
  const bit = (name: string, value: number): number => (event.getModifierState(name) ? value : 0);
  return (
    bit('Shift', MODIFIER.shift) |
    bit('Control', MODIFIER.control) |
    bit('Alt', MODIFIER.alt) |
    bit('Meta', MODIFIER.meta) |
    // Where the event of AltGr itself does not count it yet.
    (event.key === 'AltGraph' ? MODIFIER.altGraph : bit('AltGraph', MODIFIER.altGraph)) |
    bit('CapsLock', MODIFIER.capsLock)
  );
}

/** A long text in pieces of at most 4096 bytes, cut between characters. */
export function textPieces(text: string): string[] {
  const decoder = new TextDecoder();
  const pieces: string[] = [];
  for (let rest = utf8(text); rest.length > 0; ) {
    const piece = cutText(rest, MAX_TEXT);
    pieces.push(decoder.decode(piece));
    rest = rest.subarray(piece.length);
  }
  return pieces;
}
