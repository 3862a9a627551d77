// Fingers on a touch screen as mouse and view: a tap clicks, a long press is the right button, one finger drags, two fingers
// scroll, and two fingers that part or meet zoom the view.

export interface Point {
  x: number;
  y: number;
}

/** What fingers do; points and lengths in CSS pixels of the page. */
export interface Touched {
  /** The mouse is there, with these buttons (as in `MouseEvent.buttons`) down. */
  mouse(at: Point, buttons: number): void;
  /** The wheel turned there; right and down are positive, as in `WheelEvent`. */
  wheel(at: Point, dx: number, dy: number): void;
  /** What is shown at `at` moved by `by` and became `factor` times as large. */
  zoom(at: Point, factor: number, by: Point): void;
}

const LEFT = 1;
const RIGHT = 2;
/** A finger that lies still for so long presses the right button. */
const LONG_PRESS = 500;
/** What a finger moves before it counts as movement. */
const SLOP = 10;
/** What the distance of two fingers changes before they zoom. */
const PINCH = 24;
/** A second tap so soon and so near hits the place of the first, for fingers are not as exact as a mouse. */
const DOUBLE_TAP = { within: 400, near: 30 };

type Gesture =
  | { kind: 'none' }
  /** One finger, and it is not known yet what it wants. */
  | { kind: 'touch'; from: Point }
  | { kind: 'drag' }
  /** Two fingers; `mode` once it is known what they want. */
  | { kind: 'pair'; from: Pair; last: Pair; mode: 'unknown' | 'scroll' | 'zoom' }
  /** Nothing more until all fingers are gone. */
  | { kind: 'over' };

interface Pair {
  middle: Point;
  apart: number;
}

export class Fingers {
  private readonly down = new Map<number, Point>();
  private gesture: Gesture = { kind: 'none' };
  private timer: ReturnType<typeof setTimeout> | undefined;
  private tapped: { at: Point; when: number } | undefined;

  constructor(private readonly touched: Touched) {}

  /** A finger came down; `now` in milliseconds. */
  press(finger: number, at: Point, now: number): void {
    this.down.set(finger, at);
    if (this.gesture.kind === 'none') {
      this.gesture = { kind: 'touch', from: this.tapPlace(at, now) };
      this.timer = setTimeout(() => this.longPress(), LONG_PRESS);
    } else if (this.gesture.kind === 'touch' && this.down.size === 2) {
      this.stopWaiting();
      const pair = this.pair();
      this.gesture = { kind: 'pair', from: pair, last: pair, mode: 'unknown' };
    } else if (this.gesture.kind === 'pair') {
      this.gesture = { kind: 'over' };
    }
  }

  move(finger: number, at: Point): void {
    if (!this.down.has(finger)) return;
    this.down.set(finger, at);
    const { gesture } = this;
    if (gesture.kind === 'touch' && distance(gesture.from, at) > SLOP) {
      this.stopWaiting();
      this.touched.mouse(gesture.from, LEFT);
      this.gesture = { kind: 'drag' };
    }
    if (this.gesture.kind === 'drag') this.touched.mouse(at, LEFT);
    if (gesture.kind === 'pair') this.movePair(gesture);
  }

  /** A finger went up. */
  release(finger: number, at: Point, now: number): void {
    if (!this.down.delete(finger)) return;
    this.stopWaiting();
    const { gesture } = this;
    if (gesture.kind === 'touch') {
      this.click(gesture.from, LEFT);
      this.tapped = { at: gesture.from, when: now };
    } else if (gesture.kind === 'drag') {
      this.touched.mouse(at, 0);
    }
    this.gesture = this.down.size === 0 ? { kind: 'none' } : { kind: 'over' };
  }

  /** The system took the fingers for something of its own, or the focus is lost. `true`: a button was down, and is to come up. */
  cancel(): boolean {
    const dragging = this.gesture.kind === 'drag';
    this.stopWaiting();
    this.down.clear();
    this.gesture = { kind: 'none' };
    return dragging;
  }

  private longPress(): void {
    if (this.gesture.kind !== 'touch') return;
    this.click(this.gesture.from, RIGHT);
    this.gesture = { kind: 'over' };
  }

  private click(at: Point, button: number): void {
    this.touched.mouse(at, 0);
    this.touched.mouse(at, button);
    this.touched.mouse(at, 0);
  }

  private tapPlace(at: Point, now: number): Point {
    const { tapped } = this;
    this.tapped = undefined;
    const again = tapped !== undefined && now - tapped.when < DOUBLE_TAP.within && distance(tapped.at, at) < DOUBLE_TAP.near;
    return again ? tapped.at : at;
  }

  private movePair(gesture: Gesture & { kind: 'pair' }): void {
    const { from, last } = gesture;
    const pair = this.pair();
    if (gesture.mode === 'unknown') {
      if (Math.abs(pair.apart - from.apart) > PINCH) gesture.mode = 'zoom';
      else if (distance(pair.middle, from.middle) > SLOP) gesture.mode = 'scroll';
      else return;
    }
    const by = { x: pair.middle.x - last.middle.x, y: pair.middle.y - last.middle.y };
    gesture.last = pair;
    // What is shown follows the fingers, so the wheel turns the other way.
    if (gesture.mode === 'scroll') this.touched.wheel(from.middle, -by.x, -by.y);
    else this.touched.zoom(last.middle, pair.apart / Math.max(last.apart, 1), by);
  }

  private pair(): Pair {
    const [one, other] = [...this.down.values()] as [Point, Point];
    return { middle: { x: (one.x + other.x) / 2, y: (one.y + other.y) / 2 }, apart: distance(one, other) };
  }

  private stopWaiting(): void {
    clearTimeout(this.timer);
    this.timer = undefined;
  }
}

function distance(one: Point, other: Point): number {
  return Math.hypot(one.x - other.x, one.y - other.y);
}
