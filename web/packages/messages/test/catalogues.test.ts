// No text may be missing, empty, or ask for other values than its English original.
import { describe, expect, test } from 'vitest';
import * as consolePage from '../src/console';
import * as joinPage from '../src/join';
import { placeholders } from '../src';

describe.each([
  ['join', joinPage as { en: Record<string, string>; de: Record<string, string> }],
  ['console', consolePage as { en: Record<string, string>; de: Record<string, string> }],
])('%s', (_, { en, de }) => {
  test('both languages have the same keys', () => {
    expect(Object.keys(de).sort()).toEqual(Object.keys(en).sort());
  });

  test.each(Object.keys(en))('%s', (key) => {
    const [english, german] = [en[key] ?? '', de[key] ?? ''];
    expect(english.trim()).not.toBe('');
    expect(german.trim()).not.toBe('');
    expect(english).toBe(english.trim());
    expect(german).toBe(german.trim());
    expect(placeholders(german)).toEqual(placeholders(english));
    expect(german).not.toMatch(/\b([Dd]u|[Dd]ein(e[mnrs]?)?|[Dd]ich|[Dd]ir)\b/);
  });
});
