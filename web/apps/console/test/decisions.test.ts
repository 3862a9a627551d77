// What the console decides by itself: which tool can be used, how large the screen is, where a URL leads, when to report.
import { describe, expect, test } from 'vitest';
import type { ConsentState, Right } from '@belay/session';
import { ActivityPace } from '../src/lib/activity';
import { drawnSize, panSpeed } from '../src/lib/fit';
import { Scalings } from '../src/lib/scalings.svelte';
import { parseRoute, routeHref, type Route } from '../src/lib/route';
import { controlTool, singlePromptTool, viewTool, type Standing } from '../src/lib/tools';

const both: Right[] = ['desktop_view', 'remote_control'];
const standing = (desktop_view: ConsentState, remote_control: ConsentState, more: Partial<Standing> = {}): Standing => ({
  link: 'connected', rights: both, consent: { desktop_view, remote_control }, ...more,
});

describe('tools', () => {
  test('nothing can be asked before the connection is up', () => {
    for (const link of ['connecting', 'securing', 'waiting_for_applet', 'lost', 'ended'] as const) {
      const now = standing('granted', 'granted', { link });
      for (const tool of [viewTool, controlTool, singlePromptTool]) expect(tool(now)).toEqual({ use: 'none', why: 'why_not_connected' });
    }
  });
  test('while a lost connection comes back, tools are paused', () => {
    for (const link of ['reconnecting', 'offline'] as const) {
      const now = standing('granted', 'none', { link });
      for (const tool of [viewTool, controlTool, singlePromptTool]) expect(tool(now)).toEqual({ use: 'none', why: 'why_reconnecting' });
    }
  });
  test('control waits for the view', () => {
    expect(controlTool(standing('none', 'none'))).toEqual({ use: 'none', why: 'why_view_first' });
    expect(controlTool(standing('asking', 'none'))).toEqual({ use: 'none', why: 'why_view_first' });
    expect(controlTool(standing('granted', 'none'))).toEqual({ use: 'ask' });
  });
  test('nobody is asked twice at once, everybody can be asked again', () => {
    expect(viewTool(standing('asking', 'none'))).toEqual({ use: 'none', why: 'why_asking' });
    for (const state of ['none', 'refused', 'timed_out', 'withdrawn'] as const) expect(viewTool(standing(state, 'none'))).toEqual({ use: 'ask' });
  });
  test('what is granted can be given back', () => {
    expect([viewTool(standing('granted', 'granted')).use, controlTool(standing('granted', 'granted')).use]).toEqual(['stop', 'stop']);
  });
  test('what the charter does not allow is not offered', () => {
    const watchOnly = standing('granted', 'none', { rights: ['desktop_view'] });
    expect(controlTool(watchOnly)).toEqual({ use: 'none', why: 'why_not_allowed' });
    expect(viewTool(standing('not_allowed', 'none'))).toEqual({ use: 'none', why: 'why_not_allowed' });
  });
  test('one prompt for all asks for what is missing', () => {
    expect(singlePromptTool(standing('none', 'none'))).toEqual({ use: 'ask' });
    expect(singlePromptTool(standing('granted', 'asking'))).toEqual({ use: 'none', why: 'why_asking' });
    expect(singlePromptTool(standing('granted', 'granted'))).toEqual({ use: 'none', why: 'why_all_granted' });
  });
});

test.each([
  [{ width: 1920, height: 1080 }, { width: 960, height: 1000 }, 'fit', { width: 960, height: 540 }],
  [{ width: 1920, height: 1080 }, { width: 4000, height: 540 }, 'fit', { width: 960, height: 540 }],
  [{ width: 800, height: 600 }, { width: 4000, height: 4000 }, 'fit', { width: 800, height: 600 }],
  [{ width: 1920, height: 1080 }, { width: 390, height: 300 }, 'actual', { width: 1920, height: 1080 }],
  [{ width: 1920, height: 1080 }, { width: 0, height: 0 }, 'fit', { width: 1, height: 1 }],
  [{ width: 0, height: 0 }, { width: 100, height: 100 }, 'fit', { width: 0, height: 0 }],
] as const)('a screen of %j in %j, %s, is drawn as %j', (screen, room, scaling, drawn) => {
  expect(drawnSize(screen, room, scaling)).toEqual(drawn);
});

test.each([
  [1, 'actual', { width: 1920, height: 1080 }],
  [2, 'actual', { width: 960, height: 540 }],
  [3, 'actual', { width: 640, height: 360 }],
  [1.5, 'actual', { width: 1280, height: 720 }],
  [0.5, 'actual', { width: 3840, height: 2160 }],
  [1.5, 'fit', { width: 1280, height: 720 }],
  [2, 'fit', { width: 1920, height: 1080 }],
] as const)('with %d pixels of this screen for one of the page, %s is %j', (ratio, scaling, drawn) => {
  expect(drawnSize({ width: 1920, height: 1080 }, { width: 4000, height: 4000 }, scaling, ratio)).toEqual(drawn);
});

test('each monitor keeps its own scale, also one that was away', () => {
  const scalings = new Scalings();
  expect(scalings.of('DP-1')).toBe('fit');
  scalings.choose('DP-1', 'actual');
  expect([scalings.of('DP-1'), scalings.of('HDMI-1'), scalings.of('__proto__')]).toEqual(['actual', 'fit', 'fit']);
  scalings.choose('HDMI-1', 'actual');
  scalings.choose('DP-1', 'fit');
  expect([scalings.of('DP-1'), scalings.of('HDMI-1')]).toEqual(['fit', 'actual']);
});

test('a fitted screen has whole pixels of this screen', () => {
  const { width, height } = drawnSize({ width: 1921, height: 1083 }, { width: 777, height: 5000 }, 'fit', 1.25);
  expect([width * 1.25, height * 1.25].map((side) => Math.abs(side - Math.round(side)))).toEqual([0, 0]);
});

test('a view goes on when the pointer nears its edge', () => {
  const view = { width: 800, height: 600 };
  expect(panSpeed({ x: 400, y: 300 }, view)).toEqual({ x: 0, y: 0 });
  expect(panSpeed({ x: 0, y: 300 }, view)).toEqual({ x: -1600, y: 0 });
  expect(panSpeed({ x: 776, y: 600 }, view)).toEqual({ x: 800, y: 1600 });
});

describe('addresses', () => {
  const id = '0b5c5a10-0000-4000-8000-000000000001';
  test.each<Route>([{ at: 'home' }, { at: 'session', id }, { at: 'past' }, { at: 'past', id }])('%j survives the address bar', (route) => {
    expect(parseRoute(routeHref(route))).toEqual(route);
  });
  test.each(['', '#', '#/session', '#/session/x', '#/session/../me', '#/nonsense'])('%j leads home', (fragment) => {
    expect(parseRoute(fragment)).toEqual({ at: 'home' });
  });
});

test('a sign of life is reported at most once a minute', () => {
  const pace = new ActivityPace();
  expect([0, 10, 59_999, 60_000, 60_001, 200_000].map((now) => pace.due(now))).toEqual([true, false, false, true, false, true]);
});
