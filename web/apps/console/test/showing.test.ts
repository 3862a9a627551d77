// When a decision is shown: after what it has the link send, with the first picture, and never in another order; and when a step of connecting is.
import type { ConsentState, LinkState, Right } from '@belay/session';
import { afterEach, beforeEach, expect, test, vi } from 'vitest';
import { AFTER_SENDING_MS, Decisions, STEP_MS, Steps, WITH_PICTURE_MS } from '../src/lib/showing';

beforeEach(() => void vi.useFakeTimers());
afterEach(() => void vi.useRealTimers());

function page(): { decisions: Decisions; shown: string[] } {
  const shown: string[] = [];
  const consent: Record<Right, ConsentState> = { desktop_view: 'none', remote_control: 'none' };
  const show = (right: Right, state: ConsentState): void => {
    consent[right] = state;
    shown.push(`${right} ${state}`);
  };
  return { decisions: new Decisions(show, () => consent.desktop_view === 'granted'), shown };
}

test('the grant of the view is shown with its picture', () => {
  const { decisions, shown } = page();
  decisions.take('desktop_view', 'granted');
  vi.advanceTimersByTime(WITH_PICTURE_MS - 10);
  expect(shown).toEqual([]);
  decisions.picture();
  vi.advanceTimersByTime(AFTER_SENDING_MS - 1);
  // The word that it was seen is still being sealed.
  decisions.picture();
  expect(shown).toEqual([]);
  vi.advanceTimersByTime(1);
  expect(shown).toEqual(['desktop_view granted']);
  vi.advanceTimersByTime(1000);
  expect(shown.length).toBe(1);
});

test('a picture that does not come at once holds nothing up', () => {
  const { decisions, shown } = page();
  decisions.take('desktop_view', 'granted');
  decisions.take('remote_control', 'granted');
  vi.advanceTimersByTime(WITH_PICTURE_MS);
  expect(shown).toEqual(['desktop_view granted', 'remote_control granted']);
  decisions.picture();
  vi.advanceTimersByTime(1000);
  expect(shown.length).toBe(2);
});

test('control of what is seen already waits for no picture, nor does any other word', () => {
  const { decisions, shown } = page();
  decisions.take('desktop_view', 'granted');
  decisions.picture();
  vi.advanceTimersByTime(AFTER_SENDING_MS);
  decisions.take('remote_control', 'granted');
  vi.advanceTimersByTime(AFTER_SENDING_MS);
  decisions.take('remote_control', 'withdrawn');
  vi.advanceTimersByTime(AFTER_SENDING_MS);
  expect(shown).toEqual(['desktop_view granted', 'remote_control granted', 'remote_control withdrawn']);
});

test('a grant that is taken back at once is shown as taken back at once', () => {
  const { decisions, shown } = page();
  decisions.take('desktop_view', 'granted');
  vi.advanceTimersByTime(10);
  decisions.take('desktop_view', 'withdrawn');
  vi.advanceTimersByTime(AFTER_SENDING_MS);
  expect(shown).toEqual(['desktop_view granted', 'desktop_view withdrawn']);
});

test('what waits when the connection is lost is not shown', () => {
  const { decisions, shown } = page();
  decisions.take('desktop_view', 'granted');
  decisions.forget();
  vi.advanceTimersByTime(1000);
  expect(shown).toEqual([]);
  decisions.take('desktop_view', 'refused');
  vi.advanceTimersByTime(AFTER_SENDING_MS);
  expect(shown).toEqual(['desktop_view refused']);
});

function link(): { take: (state: LinkState, detail?: string) => void; shown: LinkState[] } {
  const steps = new Steps();
  const shown: LinkState[] = ['connecting'];
  const take = (state: LinkState, detail?: string): void => steps.take(shown.at(-1) ?? 'connecting', state, detail, () => shown.push(state));
  return { take, shown };
}

test('of a connection that is made at once only the end is shown', () => {
  const { take, shown } = link();
  take('waiting_for_applet');
  vi.advanceTimersByTime(STEP_MS - 1);
  take('securing');
  vi.advanceTimersByTime(5);
  take('connected');
  vi.advanceTimersByTime(1000);
  expect(shown).toEqual(['connecting', 'connected']);
});

test('a step of connecting that lasts is shown', () => {
  const { take, shown } = link();
  take('waiting_for_applet');
  vi.advanceTimersByTime(STEP_MS);
  expect(shown).toEqual(['connecting', 'waiting_for_applet']);
  take('securing');
  vi.advanceTimersByTime(STEP_MS);
  take('lost');
  expect(shown).toEqual(['connecting', 'waiting_for_applet', 'securing', 'lost']);
});

test('what is lost, and what there is something to say about, is shown at once', () => {
  const { take, shown } = link();
  take('securing', 'charter_signature');
  take('connected');
  take('waiting_for_applet', 'partner_lost');
  take('reconnecting');
  take('waiting_for_applet');
  expect(shown).toEqual(['connecting', 'securing', 'connected', 'waiting_for_applet', 'reconnecting', 'waiting_for_applet']);
});
