// Mouse and keyboard of the technician, as input messages. Everything is sent at once; only moves are held back while
// the network has not taken what was sent before, and then only the newest counts.
import { isModifier, textOf, usageOf } from './keys';
import { type Fit, pictureBox, placeOf } from './place';
import { cutText, utf8 } from './wire/codec';
import { type Button, type Input, MAX_TEXT, MODIFIER, type Place } from './wire/input';

/** Where input goes. */
export interface InputTarget {
  send(input: Input): void;
  /** Whether the network has not yet taken what was sent. */
  congested(): boolean;
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

/** Forwards the mouse: buttons, moves and the wheel. */
export class Pointer {
  private pressed = 0;
  private waiting: Place | undefined;
  private timer: ReturnType<typeof setTimeout> | undefined;
  private readonly wheelRest = { x: 0, y: 0 };

  constructor(private readonly target: InputTarget) {}

  /** The pointer is here, with these buttons (as in `MouseEvent.buttons`) down. */
  at(place: Place, buttons: number): void {
    const changed = buttons ^ this.pressed;
    if ((changed & 31) === 0) {
      this.move(place);
      return;
    }
    this.pressed = buttons;
    this.forget();
    for (const [bit, button] of BUTTONS) {
      if ((changed & bit) !== 0) {
        this.target.send({ kind: 'press', button, down: (buttons & bit) !== 0, at: place });
      }
    }
  }

  /** The wheel turned; `mode` as in `WheelEvent.deltaMode`. */
  wheel(place: Place, deltaX: number, deltaY: number, mode: number): void {
    const unit = mode === 0 ? 120 / 100 : mode === 1 ? 120 / 3 : 120 * 3;
    const dx = this.turned('x', deltaX * unit);
    const dy = this.turned('y', deltaY * unit);
    if (dx === 0 && dy === 0) return;
    this.forget();
    this.target.send({ kind: 'wheel', dx, dy, at: place });
  }

  /** Sends the held-back move now: something that follows must find the pointer in its place. */
  flush(): void {
    const place = this.waiting;
    this.forget();
    if (place !== undefined) this.target.send({ kind: 'move', at: place });
  }

  /** Every button is up again; whoever calls sends the message that says so. */
  reset(): void {
    this.pressed = 0;
    this.forget();
  }

  private move(place: Place): void {
    if (!this.target.congested()) {
      this.forget();
      this.target.send({ kind: 'move', at: place });
      return;
    }
    this.waiting = place;
    this.timer ??= setTimeout(() => this.retry(), RETRY_MOVE);
  }

  private retry(): void {
    this.timer = undefined;
    if (this.waiting === undefined) return;
    if (this.target.congested()) this.timer = setTimeout(() => this.retry(), RETRY_MOVE);
    else this.flush();
  }

  private forget(): void {
    this.waiting = undefined;
    clearTimeout(this.timer);
    this.timer = undefined;
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

/** Forwards the keyboard. Repetition is left to the computer on which the key is held. */
export class Keyboard {
  private readonly held = new Map<string, { usage: number; since: number }>();

  constructor(private readonly target: InputTarget) {}

  /** A key went down. `false`: it belongs to a composition, whose result comes as text. */
  down(event: KeyEvent): boolean {
    if (event.isComposing || event.key === 'Dead' || event.key === 'Process') return false;
    if (event.repeat) return true;
    const usage = usageOf(event.code);
    const text = textOf(event.key);
    if (usage === 0 && text === '') return true;
    // Windows reports AltGr as the left Ctrl and the right Alt at the same moment: take that Ctrl back.
    const control = this.held.get('ControlLeft');
    if (event.code === 'AltRight' && control !== undefined && Math.abs(event.timeStamp - control.since) < 5) {
      this.held.delete('ControlLeft');
      this.target.send({ kind: 'key', down: false, usage: CONTROL_LEFT, modifiers: 0, text: '' });
    }
    this.held.set(nameOf(event), { usage, since: event.timeStamp });
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
    bit('AltGraph', MODIFIER.altGraph) |
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

/**
 * Forwards mouse and keyboard of a part of the page that shows `canvas`, as long as it has the focus. Returns what ends it.
 *
 * Keys go to an invisible text field, so that dead keys and input methods can compose.
 */
export function attachInput(stage: HTMLElement, canvas: HTMLCanvasElement, target: InputTarget): () => void {
  const pointer = new Pointer(target);
  const keyboard = new Keyboard(target);
  const field = compositionField(stage);
  const cleanUp = new AbortController();
  const { signal } = cleanUp;
  const on = <K extends keyof HTMLElementEventMap>(
    of: HTMLElement,
    types: readonly K[],
    handle: (event: HTMLElementEventMap[K]) => void,
  ): void => {
    for (const type of types) of.addEventListener(type, handle, { signal, passive: false });
  };
  const place = (event: MouseEvent): Place => placeOn(canvas, event, target.monitor());
  const letGo = (): void => {
    pointer.reset();
    keyboard.reset();
    field.value = '';
    target.send({ kind: 'release_all' });
  };
  const focus = (): void => field.focus({ preventScroll: true });

  on(stage, ['pointerdown'], (event) => {
    event.preventDefault();
    focus();
    if (event.target instanceof Element) event.target.setPointerCapture(event.pointerId);
    pointer.at(place(event), event.buttons);
  });
  on(stage, ['pointermove', 'pointerup'], (event) => {
    event.preventDefault();
    pointer.at(place(event), event.buttons);
  });
  on(stage, ['pointercancel'], (event) => pointer.at(place(event), 0));
  on(stage, ['wheel'], (event) => {
    event.preventDefault();
    pointer.wheel(place(event), event.deltaX, event.deltaY, event.deltaMode);
  });
  // The page's own menus, scrolling, dragging and history must not react to what is meant for the other computer.
  on(stage, ['contextmenu', 'mousedown', 'mouseup', 'auxclick', 'dragstart', 'touchstart'], (event) =>
    event.preventDefault(),
  );
  on(stage, ['focus'], focus);

  for (const part of field.parentElement === stage ? [stage] : [stage, field]) {
    on(part, ['keydown'], (event) => {
      pointer.flush();
      if (keyboard.down(event)) event.preventDefault();
      event.stopPropagation();
    });
    on(part, ['keyup'], (event) => {
      keyboard.up(event);
      event.preventDefault();
      event.stopPropagation();
    });
  }
  const typed = (text: string): void => {
    field.value = '';
    for (const piece of textPieces(text)) target.send({ kind: 'text', text: piece });
  };
  on(field, ['compositionend'], (event) => typed(event.data));
  on(field, ['input'], (event) => {
    if (event instanceof InputEvent && !event.isComposing && event.inputType !== 'insertCompositionText') {
      typed(field.value);
    }
  });
  // Moving the focus between the stage and its own text field is no loss.
  const lost = (event: FocusEvent): void => {
    if (event.relatedTarget !== field && event.relatedTarget !== stage) letGo();
  };
  on(field, ['blur'], lost);
  on(stage, ['blur'], lost);
  document.addEventListener('visibilitychange', () => document.hidden && letGo(), { signal });

  if (stage.contains(document.activeElement)) focus();
  return () => {
    if (signal.aborted) return;
    cleanUp.abort();
    const hadFocus = document.activeElement === field;
    field.remove();
    if (hadFocus) stage.focus({ preventScroll: true });
    letGo();
  };
}

function compositionField(stage: HTMLElement): HTMLTextAreaElement {
  const field = stage.ownerDocument.createElement('textarea');
  field.autocapitalize = 'off';
  field.autocomplete = 'off';
  field.spellcheck = false;
  field.tabIndex = -1;
  field.setAttribute('aria-hidden', 'true');
  Object.assign(field.style, {
    position: 'absolute',
    left: '0',
    top: '0',
    width: '1px',
    height: '1px',
    padding: '0',
    border: '0',
    opacity: '0',
    resize: 'none',
    pointerEvents: 'none',
    // A caret that nobody sees would have the page drawn anew twice a second.
    caretColor: 'transparent',
    caretAnimation: 'manual',
  });
  if (stage.tabIndex < 0) stage.tabIndex = 0;
  stage.style.touchAction = 'none';
  if (stage instanceof HTMLCanvasElement) stage.after(field);
  else stage.append(field);
  return field;
}

function placeOn(canvas: HTMLCanvasElement, event: MouseEvent, monitor: number): Place {
  const outer = canvas.getBoundingClientRect();
  // A transform scales the border too; its share of the rectangle stays the same.
  const scaleX = canvas.offsetWidth > 0 ? outer.width / canvas.offsetWidth : 1;
  const scaleY = canvas.offsetHeight > 0 ? outer.height / canvas.offsetHeight : 1;
  const box = pictureBox(
    { left: outer.left + canvas.clientLeft * scaleX, top: outer.top + canvas.clientTop * scaleY },
    { width: canvas.clientWidth * scaleX, height: canvas.clientHeight * scaleY },
    canvas,
    getComputedStyle(canvas).objectFit as Fit,
  );
  return placeOf({ x: event.clientX, y: event.clientY }, box, canvas, monitor);
}
