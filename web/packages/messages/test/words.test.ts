// How a language is chosen, how placeholders are filled, how times are written.
import { expect, test } from 'vitest';
import { fill, formats, pickLanguage } from '../src';

test.each([
  [['de-AT', 'en'], null, 'de'],
  [['fr-FR', 'en-US'], null, 'en'],
  [['fr-FR', 'de'], null, 'de'],
  [['ja'], null, 'en'],
  [['de'], 'en', 'en'],
  [['en'], 'xx', 'en'],
])('of %j with stored %s a reader gets %s', (wishes, stored, expected) => {
  expect(pickLanguage(wishes, stored)).toBe(expected);
});

test('values are put in as they are', () => {
  expect(fill('{a} and {b}', { a: '<b>$&</b>', b: 2 })).toBe('<b>$&</b> and 2');
  expect(fill('{a} {unknown}', { a: 'x' })).toBe('x {unknown}');
});

test('times are shown in the zone of the reader', () => {
  expect(formats('de', 'Europe/Berlin').dateTime('2026-07-01T22:30:00.000000Z')).toBe('2. Juli 2026, 00:30');
  expect(formats('en', 'Europe/London').time('2026-07-01T12:05:00Z')).toBe('13:05');
});

test.each([
  [-5, '0 sec'],
  [45_400, '45 sec'],
  [61_000, '1 min'],
  [3_600_000, '1 hr'],
  [7_500_000, '2 hr 5 min'],
])('%d ms is %s', (ms, expected) => {
  expect(formats('en').duration(ms).replaceAll('secs', 'sec').replaceAll('mins', 'min').replaceAll('hrs', 'hr')).toBe(expected);
});
