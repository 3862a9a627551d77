// Fingers: what taps, presses and gestures become.
import { afterEach, beforeEach, expect, test, vi } from 'vitest';
import { Fingers, type Point, type Touched } from '../src/touch';

class Log implements Touched {
  done: (string | number)[][] = [];
  mouse(at: Point, buttons: number): void {
    this.done.push(['mouse', at.x, at.y, buttons]);
  }
  wheel(at: Point, dx: number, dy: number): void {
    this.done.push(['wheel', at.x, at.y, dx, dy]);
  }
  zoom(at: Point, factor: number, by: Point): void {
    this.done.push(['zoom', at.x, at.y, factor, by.x, by.y]);
  }
  take(): (string | number)[][] {
    return this.done.splice(0);
  }
}

beforeEach(() => void vi.useFakeTimers());
afterEach(() => void vi.useRealTimers());

const at = (x: number, y: number): Point => ({ x, y });

function start(): { log: Log; fingers: Fingers } {
  const log = new Log();
  return { log, fingers: new Fingers(log) };
}

test('a tap clicks where the finger came down, and once', () => {
  const { log, fingers } = start();
  fingers.press(1, at(100, 50), 0);
  fingers.move(1, at(104, 53));
  expect(log.take()).toEqual([]);
  fingers.release(1, at(104, 53), 120);
  vi.advanceTimersByTime(2000);
  expect(log.take()).toEqual([
    ['mouse', 100, 50, 0],
    ['mouse', 100, 50, 1],
    ['mouse', 100, 50, 0],
  ]);
});

test('a second tap soon and near hits the same place, so that it is a double click', () => {
  const { log, fingers } = start();
  const tap = (point: Point, now: number): void => {
    fingers.press(1, point, now);
    fingers.release(1, point, now + 60);
  };
  tap(at(100, 50), 0);
  log.take();
  tap(at(112, 60), 200);
  expect(log.take()[1]).toEqual(['mouse', 100, 50, 1]);
  tap(at(112, 60), 5000);
  expect(log.take()[1]).toEqual(['mouse', 112, 60, 1]);
  tap(at(300, 60), 5200);
  expect(log.take()[1]).toEqual(['mouse', 300, 60, 1]);
});

test('a finger that lies still presses the right button, and nothing else', () => {
  const { log, fingers } = start();
  fingers.press(1, at(10, 20), 0);
  vi.advanceTimersByTime(499);
  expect(log.take()).toEqual([]);
  vi.advanceTimersByTime(1);
  expect(log.take()).toEqual([
    ['mouse', 10, 20, 0],
    ['mouse', 10, 20, 2],
    ['mouse', 10, 20, 0],
  ]);
  fingers.move(1, at(200, 200));
  fingers.release(1, at(200, 200), 900);
  expect(log.take()).toEqual([]);
});

test('one finger drags, from where it came down', () => {
  const { log, fingers } = start();
  fingers.press(1, at(10, 10), 0);
  fingers.move(1, at(40, 10));
  fingers.move(1, at(80, 30));
  vi.advanceTimersByTime(2000);
  fingers.release(1, at(80, 30), 2000);
  expect(log.take()).toEqual([
    ['mouse', 10, 10, 1],
    ['mouse', 40, 10, 1],
    ['mouse', 80, 30, 1],
    ['mouse', 80, 30, 0],
  ]);
});

test('two fingers scroll: what is shown follows them; the finger that stays does not click', () => {
  const { log, fingers } = start();
  fingers.press(1, at(100, 100), 0);
  fingers.press(2, at(200, 100), 30);
  for (let y = 110; y <= 150; y += 10) {
    fingers.move(1, at(100, y));
    fingers.move(2, at(200, y));
  }
  const done = log.take();
  expect(done.every(([what, x, y]) => what === 'wheel' && x === 150 && y === 100)).toBe(true);
  expect(done.reduce((all, wheel) => all + Number(wheel[4]), 0)).toBe(-50);
  fingers.release(1, at(100, 150), 400);
  fingers.move(2, at(300, 300));
  vi.advanceTimersByTime(2000);
  fingers.release(2, at(300, 300), 2500);
  expect(log.take()).toEqual([]);
});

test('two fingers that part zoom the view about the place between them', () => {
  const { log, fingers } = start();
  fingers.press(1, at(100, 100), 0);
  fingers.press(2, at(200, 100), 30);
  fingers.move(2, at(300, 100));
  fingers.move(2, at(500, 100));
  const done = log.take();
  expect(done).toEqual([
    ['zoom', 150, 100, 2, 50, 0],
    ['zoom', 200, 100, 2, 100, 0],
  ]);
});

test('a third finger ends a gesture; a lost touch leaves nothing behind', () => {
  const { log, fingers } = start();
  fingers.press(1, at(100, 100), 0);
  fingers.press(2, at(200, 100), 30);
  fingers.press(3, at(300, 100), 60);
  fingers.move(1, at(100, 400));
  expect(log.take()).toEqual([]);
  expect(fingers.cancel()).toBe(false);
  fingers.press(1, at(10, 10), 100);
  fingers.move(1, at(60, 10));
  log.take();
  expect(fingers.cancel()).toBe(true);
  fingers.release(1, at(60, 10), 300);
  vi.advanceTimersByTime(2000);
  expect(log.take()).toEqual([]);
});
