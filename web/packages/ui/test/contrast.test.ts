// Every pair of colours that carries text must reach WCAG AA (4.5), borders of fields 3, in both themes.
import { readFileSync } from 'node:fs';
import { describe, expect, test } from 'vitest';

const css = readFileSync(new URL('../src/styles/tokens.css', import.meta.url), 'utf8');

function tokens(block: string): Map<string, string> {
  return new Map([...block.matchAll(/--([a-z0-9-]+): (#[0-9a-f]{6});/g)].map((m) => [m[1] as string, m[2] as string]));
}

function between(start: string, end: string): string {
  const from = css.indexOf(start);
  return css.slice(from, css.indexOf(end, from));
}

function luminance(hex: string): number {
  const [r, g, b] = [1, 3, 5].map((at) => {
    const v = parseInt(hex.slice(at, at + 2), 16) / 255;
    return v <= 0.03928 ? v / 12.92 : ((v + 0.055) / 1.055) ** 2.4;
  }) as [number, number, number];
  return 0.2126 * r + 0.7152 * g + 0.0722 * b;
}

function contrast(a: string, b: string): number {
  const [x, y] = [luminance(a), luminance(b)];
  return (Math.max(x, y) + 0.05) / (Math.min(x, y) + 0.05);
}

const grounds = ['bg', 'surface', 'raised', 'sunken'];
const onGrounds = ['text', 'muted', 'primary', 'danger', 'accent'];
const pairs: [string, string, number][] = [
  ...grounds.flatMap((ground) => onGrounds.map((ink): [string, string, number] => [ink, ground, ink === 'accent' ? 3 : 4.5])),
  ['on-primary', 'primary', 4.5], ['on-primary', 'primary-hover', 4.5], ['on-danger', 'danger', 4.5], ['on-stage', 'stage', 4.5],
  ...['primary', 'danger', 'warning', 'success', 'info', 'quiet'].map((n): [string, string, number] => [`on-${n}-soft`, `${n}-soft`, 4.5]),
  ['border-strong', 'surface', 3], ['border-strong', 'raised', 3], ['focus', 'bg', 3], ['focus', 'surface', 3],
];

const themes = {
  light: tokens(between(':root {', '\n}')),
  dark: tokens(between(":root[data-theme='dark'] {", '\n}')),
  'dark by system': tokens(between(":root:not([data-theme='light']) {", '\n  }')),
};

describe.each(Object.entries(themes))('%s', (_, set) => {
  test.each(pairs)('%s on %s reaches %d', (ink, ground, least) => {
    expect(contrast(set.get(ink) ?? '', set.get(ground) ?? '')).toBeGreaterThanOrEqual(least);
  });
});

test('both ways to dark are the same', () => {
  expect([...themes['dark by system']]).toEqual([...themes.dark]);
  expect([...themes.dark.keys()]).toEqual([...themes.light.keys()]);
});
