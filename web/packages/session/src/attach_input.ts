// The part of a page that takes mouse, keyboard and fingers for the other computer.
import { type InputTarget, Keyboard, Pointer, textPieces, turnOf } from './input';
import { type Fit, pictureBox, placeOf } from './place';
import { holdsPointer, leavePointer } from './relative';
import { Fingers, type Point } from './touch';
import type { Aim, Place } from './wire/input';

/** Two fingers changed how the picture is shown: an event of the stage, for whoever lays it out. */
export interface ViewChange {
  /** Where in the page, before the change. */
  at: Point;
  /** How many times as large it is to become. */
  factor: number;
  /** How far it is to move, in CSS pixels. */
  by: Point;
}

/** What browsers say of the wheel besides the standard. */
interface CountedNotches {
  wheelDeltaX?: number;
  wheelDeltaY?: number;
}

/** `WheelEvent.DOM_DELTA_PIXEL` */
const PIXELS = 0;

/** The name of the stage's event with a [`ViewChange`] as its detail. */
export const VIEW_CHANGE = 'viewchange';

/**
 * Forwards mouse and keyboard of a part of the page that shows `canvas`, as long as it has the focus. Returns what ends it.
 *
 * Keys go to an invisible text field, so that dead keys and input methods can compose. While the stage holds the pointer
 * (`holdPointer`), the mouse moves the other one by steps; what lets go of the keys gives the pointer back too.
 */
export function attachInput(stage: HTMLElement, canvas: HTMLCanvasElement, target: InputTarget): () => void {
  const pointer = new Pointer(target);
  const keyboard = new Keyboard(target);
  const field = compositionField(stage);
  const cleanUp = new AbortController();
  const { signal } = cleanUp;
  const on = <K extends keyof HTMLElementEventMap>(
    of: HTMLElement,
    types: readonly K[],
    handle: (event: HTMLElementEventMap[K]) => void,
  ): void => {
    for (const type of types) of.addEventListener(type, handle, { signal, passive: false });
  };
  const at = (point: Point): Place => placeOn(canvas, point, target.monitor());
  const place = (event: MouseEvent): Place => at({ x: event.clientX, y: event.clientY });
  const aim = (event: MouseEvent): Aim => (holdsPointer(stage) ? 'here' : place(event));
  const mouse = (event: PointerEvent): void => {
    if (!holdsPointer(stage)) pointer.at(place(event), event.buttons);
    else if (event.type === 'pointermove') pointer.by(event.movementX, event.movementY, event.buttons);
    else pointer.by(0, 0, event.buttons);
  };
  const fingers = new Fingers({
    mouse: (point, buttons) => pointer.at(at(point), buttons),
    wheel: (point, dx, dy) => pointer.wheel(at(point), turnOf(dx, PIXELS), turnOf(dy, PIXELS)),
    zoom: (point, factor, by) => {
      const detail: ViewChange = { at: point, factor, by };
      stage.dispatchEvent(new CustomEvent(VIEW_CHANGE, { detail }));
    },
  });
  const letGo = (): void => {
    leavePointer(stage);
    fingers.cancel();
    pointer.reset();
    keyboard.reset();
    field.value = '';
    target.send({ kind: 'release_all' });
  };
  const focus = (): void => field.focus({ preventScroll: true });

  on(stage, ['pointerdown'], (event) => {
    event.preventDefault();
    const touch = event.pointerType === 'touch';
    // A finger on the picture is no wish for the keyboard on the screen, which would cover half of it.
    field.inputMode = touch ? 'none' : '';
    focus();
    // What holds the pointer has it already; asking again is an error.
    if (event.target instanceof Element && !holdsPointer(stage)) event.target.setPointerCapture(event.pointerId);
    if (touch) fingers.press(event.pointerId, { x: event.clientX, y: event.clientY }, event.timeStamp);
    else mouse(event);
  });
  on(stage, ['pointermove', 'pointerup'], (event) => {
    event.preventDefault();
    const point = { x: event.clientX, y: event.clientY };
    if (event.pointerType !== 'touch') mouse(event);
    else if (event.type === 'pointermove') fingers.move(event.pointerId, point);
    else fingers.release(event.pointerId, point, event.timeStamp);
  });
  on(stage, ['pointercancel'], (event) => {
    if (event.pointerType !== 'touch' || fingers.cancel()) pointer.at(place(event), 0);
  });
  on(stage, ['wheel'], (event) => {
    event.preventDefault();
    const { deltaX, deltaY, deltaMode, wheelDeltaX, wheelDeltaY } = event as WheelEvent & CountedNotches;
    pointer.wheel(aim(event), turnOf(deltaX, deltaMode, wheelDeltaX), turnOf(deltaY, deltaMode, wheelDeltaY));
  });
  // The page's own menus, scrolling, dragging and history must not react to what is meant for the other computer.
  on(stage, ['contextmenu', 'mousedown', 'mouseup', 'auxclick', 'dragstart', 'touchstart'], (event) =>
    event.preventDefault(),
  );
  on(stage, ['focus'], focus);

  for (const part of field.parentElement === stage ? [stage] : [stage, field]) {
    on(part, ['keydown'], (event) => {
      pointer.flush();
      if (keyboard.down(event)) event.preventDefault();
      event.stopPropagation();
    });
    on(part, ['keyup'], (event) => {
      keyboard.up(event);
      event.preventDefault();
      event.stopPropagation();
    });
  }
  const typed = (text: string): void => {
    field.value = '';
    for (const piece of textPieces(text)) target.send({ kind: 'text', text: piece });
  };
  on(field, ['compositionend'], (event) => typed(event.data));
  on(field, ['input'], (event) => {
    if (event instanceof InputEvent && !event.isComposing && event.inputType !== 'insertCompositionText') {
      typed(field.value);
    }
  });
  // Moving the focus between the stage and its own text field is no loss.
  const lost = (event: FocusEvent): void => {
    if (event.relatedTarget !== field && event.relatedTarget !== stage) letGo();
  };
  on(field, ['blur'], lost);
  on(stage, ['blur'], lost);
  // Steps that wait were made while the pointer was held.
  document.addEventListener('pointerlockchange', () => pointer.flush(), { signal });
  document.addEventListener('visibilitychange', () => document.hidden && letGo(), { signal });

  if (stage.contains(document.activeElement)) focus();
  return () => {
    if (signal.aborted) return;
    cleanUp.abort();
    const hadFocus = document.activeElement === field;
    field.remove();
    if (hadFocus) stage.focus({ preventScroll: true });
    letGo();
  };
}

function compositionField(stage: HTMLElement): HTMLTextAreaElement {
  const field = stage.ownerDocument.createElement('textarea');
  field.autocapitalize = 'off';
  field.autocomplete = 'off';
  field.spellcheck = false;
  field.tabIndex = -1;
  field.setAttribute('aria-hidden', 'true');
  Object.assign(field.style, {
    position: 'absolute',
    left: '0',
    top: '0',
    width: '1px',
    height: '1px',
    padding: '0',
    border: '0',
    opacity: '0',
    resize: 'none',
    pointerEvents: 'none',
    // A caret that nobody sees would have the page drawn anew twice a second.
    caretColor: 'transparent',
    caretAnimation: 'manual',
  });
  if (stage.tabIndex < 0) stage.tabIndex = 0;
  stage.style.touchAction = 'none';
  if (stage instanceof HTMLCanvasElement) stage.after(field);
  else stage.append(field);
  return field;
}

function placeOn(canvas: HTMLCanvasElement, point: Point, monitor: number): Place {
  const outer = canvas.getBoundingClientRect();
  // A transform scales the border too; its share of the rectangle stays the same.
  const scaleX = canvas.offsetWidth > 0 ? outer.width / canvas.offsetWidth : 1;
  const scaleY = canvas.offsetHeight > 0 ? outer.height / canvas.offsetHeight : 1;
  const box = pictureBox(
    { left: outer.left + canvas.clientLeft * scaleX, top: outer.top + canvas.clientTop * scaleY },
    { width: canvas.clientWidth * scaleX, height: canvas.clientHeight * scaleY },
    canvas,
    getComputedStyle(canvas).objectFit as Fit,
  );
  return placeOf(point, box, canvas, monitor);
}
