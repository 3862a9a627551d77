// Mouse and keyboard: what events become which messages.
import { afterEach, beforeEach, expect, test, vi } from 'vitest';
import { type InputTarget, Keyboard, type KeyEvent, Pointer, textPieces, turnOf } from '../src/input';
import { HID_USAGE, textOf, usageOf } from '../src/keys';
import { pictureBox, placeOf } from '../src/place';
import { type Input } from '../src/wire/input';

class Target implements InputTarget {
  sent: Input[] = [];
  busy = false;
  behind = 0;
  send(input: Input): void {
    this.sent.push(input);
  }
  congested(): boolean {
    return this.busy;
  }
  unconfirmed(): number {
    return this.behind;
  }
  monitor(): number {
    return 255;
  }
}

beforeEach(() => void vi.useFakeTimers());
afterEach(() => void vi.useRealTimers());

const at = (x: number): { monitor: number; x: number; y: number } => ({ monitor: 255, x, y: 0 });

test('the key table agrees with the USB tables', () => {
  const known: [string, number][] = [
    ['KeyA', 0x04],
    ['KeyZ', 0x1d],
    ['Digit1', 0x1e],
    ['Digit0', 0x27],
    ['Enter', 0x28],
    ['Backslash', 0x31],
    ['CapsLock', 0x39],
    ['F1', 0x3a],
    ['F12', 0x45],
    ['PrintScreen', 0x46],
    ['ArrowRight', 0x4f],
    ['ArrowUp', 0x52],
    ['NumLock', 0x53],
    ['Numpad1', 0x59],
    ['Numpad0', 0x62],
    ['NumpadDecimal', 0x63],
    ['IntlBackslash', 0x64],
    ['ContextMenu', 0x65],
    ['F13', 0x68],
    ['F24', 0x73],
    ['ControlLeft', 0xe0],
    ['AltRight', 0xe6],
    ['MetaRight', 0xe7],
  ];
  for (const [code, usage] of known) expect([code, usageOf(code)]).toEqual([code, usage]);
  expect(usageOf('BrowserBack')).toBe(0);
  // Different keys have different usages, apart from the two spellings that browsers use.
  const twice = new Set(['AudioVolumeMute', 'AudioVolumeUp', 'AudioVolumeDown', 'OSLeft', 'OSRight']);
  const usages = [...HID_USAGE].filter(([code]) => !twice.has(code)).map(([, usage]) => usage);
  expect(new Set(usages).size).toBe(usages.length);
});

test('what a key types', () => {
  for (const typed of ['a', 'ß', '€', ' ', '👋']) expect(textOf(typed)).toBe(typed);
  for (const name of ['Enter', 'Dead', '', '\u0000', '\u001b']) expect(textOf(name)).toBe('');
});

test('places under scaling, exact at every pixel', () => {
  const picture = { width: 1920, height: 1080 };
  const box = pictureBox({ left: 10, top: 20 }, { width: 960, height: 540 }, picture, 'fill');
  expect(placeOf({ x: 10, y: 20 }, box, picture, 3)).toEqual({ monitor: 3, x: 0, y: 0 });
  expect(placeOf({ x: 10 + 959.9, y: 20 + 539.9 }, box, picture, 3)).toEqual({ monitor: 3, x: 65535, y: 65535 });
  expect(placeOf({ x: -5, y: 5000 }, box, picture, 3)).toEqual({ monitor: 3, x: 0, y: 65535 });
  for (let column = 0; column < picture.width; column += 1) {
    const { x } = placeOf({ x: 10 + (column + 0.5) / 2, y: 20 }, box, picture, 3);
    expect(Math.round((x * (picture.width - 1)) / 65535)).toBe(column);
  }
});

test('places in a fitted picture', () => {
  const picture = { width: 100, height: 100 };
  const box = pictureBox({ left: 0, top: 0 }, { width: 400, height: 200 }, picture, 'contain');
  expect(box).toEqual({ left: 100, top: 0, width: 200, height: 200 });
  expect(placeOf({ x: 99, y: 0 }, box, picture, 0).x).toBe(0);
  expect(placeOf({ x: 299, y: 0 }, box, picture, 0).x).toBe(65535);
  expect(pictureBox({ left: 0, top: 0 }, { width: 400, height: 200 }, picture, 'scale-down').width).toBe(100);
});

test('moves go at once, and only the newest when the network is behind', () => {
  const target = new Target();
  const pointer = new Pointer(target);
  pointer.at(at(1), 0);
  target.busy = true;
  for (const x of [2, 3, 4]) pointer.at(at(x), 0);
  vi.advanceTimersByTime(50);
  expect(target.sent).toEqual([{ kind: 'move', at: at(1) }]);
  target.busy = false;
  vi.advanceTimersByTime(50);
  expect(target.sent).toEqual([1, 4].map((x) => ({ kind: 'move', at: at(x) })));
});

test('buttons go at once even when the network is behind, and replace the move before them', () => {
  const target = new Target();
  const pointer = new Pointer(target);
  target.busy = true;
  pointer.at(at(1), 0);
  pointer.at(at(2), 1);
  pointer.at(at(2), 3);
  pointer.at(at(3), 2);
  pointer.at(at(3), 8);
  vi.advanceTimersByTime(50);
  const press = (button: string, down: boolean, x: number) => ({ kind: 'press', button, down, at: at(x) });
  expect(target.sent).toEqual([
    press('left', true, 2),
    press('right', true, 2),
    press('left', false, 3),
    press('right', false, 3),
    press('back', true, 3),
  ]);
});

test('steps go at once, and add up to the pixel while the network is behind', () => {
  const target = new Target();
  const pointer = new Pointer(target);
  pointer.by(3, -2, 0);
  target.busy = true;
  for (let step = 0; step < 100; step += 1) pointer.by(1.25, -0.5, 0);
  vi.advanceTimersByTime(50);
  expect(target.sent).toEqual([{ kind: 'move_by', dx: 3, dy: -2 }]);
  target.busy = false;
  vi.advanceTimersByTime(50);
  expect(target.sent.slice(1)).toEqual([{ kind: 'move_by', dx: 125, dy: -50 }]);
});

test('parts of a pixel are kept for the next step, and a step too long for one message becomes several', () => {
  const target = new Target();
  const pointer = new Pointer(target);
  for (let step = 0; step < 7; step += 1) pointer.by(0.5, -0.25, 0);
  const sum = (axis: 'dx' | 'dy'): number => target.sent.reduce((all, input) => all + (input.kind === 'move_by' ? input[axis] : 0), 0);
  expect([sum('dx'), sum('dy')]).toEqual([3, -1]);
  target.sent = [];
  pointer.by(70_000, 0, 0);
  expect(target.sent.map((input) => (input.kind === 'move_by' ? input.dx : 0))).toEqual([32767, 32767, 4466]);
});

test('a button, the wheel and a key find the pointer where all steps before them led, and do not move it', () => {
  const target = new Target();
  const pointer = new Pointer(target);
  target.busy = true;
  pointer.by(5, 5, 0);
  pointer.by(1, 0, 1);
  pointer.by(2, 0, 1);
  pointer.wheel('here', 0, 120);
  pointer.by(0, 4, 1);
  pointer.flush();
  pointer.by(0, 0, 0);
  expect(target.sent).toEqual([
    { kind: 'move_by', dx: 6, dy: 5 },
    { kind: 'press', button: 'left', down: true, at: 'here' },
    { kind: 'move_by', dx: 2, dy: 0 },
    { kind: 'wheel', dx: 0, dy: 120, at: 'here' },
    { kind: 'move_by', dx: 0, dy: 4 },
    { kind: 'press', button: 'left', down: false, at: 'here' },
  ]);
});

test('a place makes the steps before it void', () => {
  const target = new Target();
  const pointer = new Pointer(target);
  target.busy = true;
  pointer.by(5, 5, 0);
  pointer.at(at(9), 0);
  target.busy = false;
  vi.advanceTimersByTime(50);
  expect(target.sent).toEqual([{ kind: 'move', at: at(9) }]);
});

test('a key finds the pointer where it was moved to', () => {
  const target = new Target();
  const pointer = new Pointer(target);
  target.busy = true;
  pointer.at(at(7), 0);
  pointer.flush();
  expect(target.sent).toEqual([{ kind: 'move', at: at(7) }]);
});

test('the wheel in every unit, without losing parts of a notch', () => {
  const target = new Target();
  const pointer = new Pointer(target);
  pointer.wheel(at(0), 0, turnOf(100, 0));
  pointer.wheel(at(0), 0, turnOf(-3, 1));
  pointer.wheel(at(0), turnOf(200, 0), 0);
  for (let step = 0; step < 100; step += 1) pointer.wheel(at(0), 0, turnOf(0.25, 0));
  const sum = (axis: 'dx' | 'dy', from: number): number =>
    target.sent.slice(from).reduce((all, input) => all + (input.kind === 'wheel' ? input[axis] : 0), 0);
  expect(target.sent.slice(0, 3)).toEqual([
    { kind: 'wheel', dx: 0, dy: 120, at: at(0) },
    { kind: 'wheel', dx: 0, dy: -120, at: at(0) },
    { kind: 'wheel', dx: 240, dy: 0, at: at(0) },
  ]);
  expect(Math.abs(sum('dy', 3) - 30)).toBeLessThanOrEqual(1);
  pointer.wheel(at(0), 0, turnOf(1e9, 2));
  expect(sum('dy', target.sent.length - 1)).toBe(32767);
});

test.each([
  ['a notch of Chromium on Linux', 120, 0, -120, 120],
  ['a notch on Windows', 100, 0, -120, 120],
  ['two notches back on Windows', -200, 0, 240, -240],
  ['a notch of Firefox', 3, 1, -120, 120],
  ['a touch pad on Linux', 7, 0, -7, 8.4],
  ['a touch pad on macOS that counts thrice the pixels', 40, 0, -120, 48],
  ['a browser that counts no notches', 100, 0, undefined, 120],
  ['a count that contradicts', 100, 0, 120, 120],
  ['nothing', 0, 0, 0, 0],
])('%s', (_, delta, mode, counted, turned) => {
  expect(turnOf(delta, mode, counted)).toBeCloseTo(turned);
});

function key(code: string, name: string, more: Partial<KeyEvent> & { held?: string[] } = {}): KeyEvent {
  const { held = [], ...rest } = more;
  return {
    code,
    key: name,
    repeat: false,
    isComposing: false,
    timeStamp: 0,
    getModifierState: (modifier) => held.includes(modifier),
    ...rest,
  };
}

const message = (down: boolean, usage: number, text = '', modifiers = 0) => {
  return { kind: 'key', down, usage, modifiers, text };
};

test('keys with their text and modifiers', () => {
  const target = new Target();
  const keyboard = new Keyboard(target);
  keyboard.down(key('ShiftLeft', 'Shift', { held: ['Shift'] }));
  keyboard.down(key('KeyA', 'A', { held: ['Shift', 'CapsLock'] }));
  keyboard.up(key('KeyA', 'A', { held: ['Shift'] }));
  keyboard.up(key('ShiftLeft', 'Shift'));
  keyboard.up(key('KeyB', 'b'));
  expect(target.sent).toEqual([
    message(true, 0xe1, '', 1),
    message(true, 0x04, 'A', 33),
    message(false, 0x04, '', 1),
    message(false, 0xe1),
  ]);
});

test('a held key repeats, but not far ahead of the other computer; modifiers do not', () => {
  const target = new Target();
  const keyboard = new Keyboard(target);
  keyboard.down(key('KeyA', 'a'));
  keyboard.down(key('KeyA', 'a', { repeat: true }));
  keyboard.down(key('KeyA', 'A', { repeat: true, held: ['Shift'] }));
  target.behind = 8;
  for (let more = 0; more < 50; more += 1) keyboard.down(key('KeyA', 'a', { repeat: true }));
  keyboard.up(key('KeyA', 'a'));
  expect(target.sent).toEqual([
    message(true, 0x04, 'a'),
    message(true, 0x04, 'a'),
    message(true, 0x04, 'A', 1),
    message(false, 0x04),
  ]);
  target.behind = 0;
  target.sent = [];
  keyboard.down(key('ShiftLeft', 'Shift', { held: ['Shift'] }));
  keyboard.down(key('ShiftLeft', 'Shift', { held: ['Shift'], repeat: true }));
  expect(target.sent).toEqual([message(true, 0xe1, '', 1)]);
});

test('a key that was let go of here, or went down elsewhere, does not come down by its repetitions', () => {
  const target = new Target();
  const keyboard = new Keyboard(target);
  keyboard.down(key('KeyA', 'a', { repeat: true }));
  keyboard.down(key('Delete', 'Delete'));
  keyboard.reset();
  keyboard.down(key('Delete', 'Delete', { repeat: true }));
  keyboard.up(key('Delete', 'Delete'));
  expect(target.sent).toEqual([message(true, 0x4c)]);
});

test('Ctrl+V stays a key', () => {
  const target = new Target();
  expect(new Keyboard(target).down(key('KeyV', 'v', { held: ['Control'] }))).toBe(true);
  expect(target.sent).toEqual([message(true, 0x19, 'v', 2)]);
});

test('the Ctrl that Windows adds to AltGr is taken back', () => {
  const target = new Target();
  const keyboard = new Keyboard(target);
  keyboard.down(key('ControlLeft', 'Control', { timeStamp: 100, held: ['Control'] }));
  keyboard.down(key('AltRight', 'AltGraph', { timeStamp: 100.1, held: ['AltGraph'] }));
  keyboard.down(key('KeyE', '€', { timeStamp: 150, held: ['AltGraph'] }));
  keyboard.up(key('ControlLeft', 'Control', { timeStamp: 200 }));
  expect(target.sent).toEqual([
    message(true, 0xe0, '', 2),
    message(false, 0xe0),
    message(true, 0xe6, '', 16),
    message(true, 0x08, '€', 16),
  ]);
});

test('AltGr says what it is, also where its own event does not count it', () => {
  const target = new Target();
  const keyboard = new Keyboard(target);
  keyboard.down(key('AltRight', 'AltGraph'));
  keyboard.down(key('AltRight', 'Alt', { held: ['Alt'] }));
  expect(target.sent).toEqual([message(true, 0xe6, '', 16), message(true, 0xe6, '', 4)]);
});

test('keys that macOS keeps to itself while Command is held are let go with it', () => {
  const target = new Target();
  const keyboard = new Keyboard(target);
  keyboard.down(key('MetaLeft', 'Meta', { held: ['Meta'] }));
  keyboard.down(key('KeyC', 'c', { held: ['Meta'] }));
  keyboard.up(key('MetaLeft', 'Meta'));
  expect(target.sent.slice(2)).toEqual([message(false, 0x06), message(false, 0xe3)]);
});

test('dead keys and compositions are left to the text field', () => {
  const target = new Target();
  const keyboard = new Keyboard(target);
  expect(keyboard.down(key('Equal', 'Dead'))).toBe(false);
  expect(keyboard.down(key('KeyE', 'e', { isComposing: true }))).toBe(false);
  keyboard.up(key('Equal', 'Dead'));
  keyboard.up(key('KeyE', 'e'));
  expect(target.sent).toEqual([]);
});

test('keys unknown to the table go by their text, or not at all', () => {
  const target = new Target();
  const keyboard = new Keyboard(target);
  keyboard.down(key('', 'ü'));
  keyboard.up(key('', 'ü'));
  keyboard.down(key('BrowserBack', 'BrowserBack'));
  expect(target.sent).toEqual([message(true, 0, 'ü'), message(false, 0)]);
});

test('a long text is cut between characters', () => {
  const text = 'a' + '👋'.repeat(3000);
  const pieces = textPieces(text);
  expect(pieces.join('')).toBe(text);
  for (const piece of pieces) expect(Buffer.byteLength(piece)).toBeLessThanOrEqual(4096);
  expect(textPieces('')).toEqual([]);
});
