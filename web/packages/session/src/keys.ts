// Physical keys: KeyboardEvent.code → usage on the USB HID keyboard page (7), after the table of the W3C
// "UI Events KeyboardEvent code Values" and USB HID Usage Tables 1.5.

const LETTERS = 'ABCDEFGHIJKLMNOPQRSTUVWXYZ';

export const HID_USAGE: ReadonlyMap<string, number> = new Map<string, number>([
  ...[...LETTERS].map((letter, at): [string, number] => [`Key${letter}`, 0x04 + at]),
  ...[...'1234567890'].map((digit, at): [string, number] => [`Digit${digit}`, 0x1e + at]),
  ['Enter', 0x28],
  ['Escape', 0x29],
  ['Backspace', 0x2a],
  ['Tab', 0x2b],
  ['Space', 0x2c],
  ['Minus', 0x2d],
  ['Equal', 0x2e],
  ['BracketLeft', 0x2f],
  ['BracketRight', 0x30],
  ['Backslash', 0x31],
  ['IntlHash', 0x32],
  ['Semicolon', 0x33],
  ['Quote', 0x34],
  ['Backquote', 0x35],
  ['Comma', 0x36],
  ['Period', 0x37],
  ['Slash', 0x38],
  ['CapsLock', 0x39],
  ...Array.from({ length: 12 }, (_, at): [string, number] => [`F${at + 1}`, 0x3a + at]),
  ['PrintScreen', 0x46],
  ['ScrollLock', 0x47],
  ['Pause', 0x48],
  ['Insert', 0x49],
  ['Home', 0x4a],
  ['PageUp', 0x4b],
  ['Delete', 0x4c],
  ['End', 0x4d],
  ['PageDown', 0x4e],
  ['ArrowRight', 0x4f],
  ['ArrowLeft', 0x50],
  ['ArrowDown', 0x51],
  ['ArrowUp', 0x52],
  ['NumLock', 0x53],
  ['NumpadDivide', 0x54],
  ['NumpadMultiply', 0x55],
  ['NumpadSubtract', 0x56],
  ['NumpadAdd', 0x57],
  ['NumpadEnter', 0x58],
  ...[...'1234567890'].map((digit, at): [string, number] => [`Numpad${digit}`, 0x59 + at]),
  ['NumpadDecimal', 0x63],
  ['IntlBackslash', 0x64],
  ['ContextMenu', 0x65],
  ['Power', 0x66],
  ['NumpadEqual', 0x67],
  ...Array.from({ length: 12 }, (_, at): [string, number] => [`F${at + 13}`, 0x68 + at]),
  ['Open', 0x74],
  ['Help', 0x75],
  ['Props', 0x76],
  ['Select', 0x77],
  ['Again', 0x79],
  ['Undo', 0x7a],
  ['Cut', 0x7b],
  ['Copy', 0x7c],
  ['Paste', 0x7d],
  ['Find', 0x7e],
  ['AudioVolumeMute', 0x7f],
  ['VolumeMute', 0x7f],
  ['AudioVolumeUp', 0x80],
  ['VolumeUp', 0x80],
  ['AudioVolumeDown', 0x81],
  ['VolumeDown', 0x81],
  ['NumpadComma', 0x85],
  ['IntlRo', 0x87],
  ['KanaMode', 0x88],
  ['IntlYen', 0x89],
  ['Convert', 0x8a],
  ['NonConvert', 0x8b],
  ['Lang1', 0x90],
  ['Lang2', 0x91],
  ['Lang3', 0x92],
  ['Lang4', 0x93],
  ['Lang5', 0x94],
  ['Abort', 0x9b],
  ['NumpadClear', 0xd8],
  ['NumpadParenLeft', 0xb6],
  ['NumpadParenRight', 0xb7],
  ['NumpadBackspace', 0xbb],
  ['NumpadMemoryStore', 0xd0],
  ['NumpadMemoryRecall', 0xd1],
  ['NumpadMemoryClear', 0xd2],
  ['NumpadMemoryAdd', 0xd3],
  ['NumpadMemorySubtract', 0xd4],
  ['NumpadClearEntry', 0xd9],
  ['ControlLeft', 0xe0],
  ['ShiftLeft', 0xe1],
  ['AltLeft', 0xe2],
  ['MetaLeft', 0xe3],
  ['OSLeft', 0xe3],
  ['ControlRight', 0xe4],
  ['ShiftRight', 0xe5],
  ['AltRight', 0xe6],
  ['MetaRight', 0xe7],
  ['OSRight', 0xe7],
]);

/** The usage of a physical key, 0 when it is none of the keyboard page. */
export function usageOf(code: string): number {
  return HID_USAGE.get(code) ?? 0;
}

/** Whether a usage is one of the eight modifier keys. */
export function isModifier(usage: number): boolean {
  return usage >= 0xe0 && usage <= 0xe7;
}

/** What a key types, by the `key` of its event: one printable character, or nothing. */
export function textOf(key: string): string {
  const [first, ...rest] = key;
  if (first === undefined || rest.length > 0) return '';
  return /\p{C}/u.test(first) ? '' : first;
}
