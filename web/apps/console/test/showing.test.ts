// When a decision is shown: after what it has the link send, with the first picture, and never in another order.
import type { ConsentState, Right } from '@belay/session';
import { afterEach, beforeEach, expect, test, vi } from 'vitest';
import { AFTER_SENDING_MS, Decisions, WITH_PICTURE_MS } from '../src/lib/showing';

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
