// How large the remote screen is drawn.
export type Scaling = 'fit' | 'actual';
export interface Size { width: number; height: number }

/**
 * CSS size for a screen in a room: never distorted, whole pixels of this screen.
 *
 * Its actual size is one pixel of this screen for one of the other's, however many of them a CSS pixel has. Fitted it is never larger than
 * that, or than two, three, … pixels of this screen for each where a CSS pixel has so many, for then nothing is blurred.
 */
export function drawnSize(screen: Size, room: Size, scaling: Scaling, ratio = 1): Size {
  if (screen.width === 0 || screen.height === 0) return screen;
  if (scaling === 'actual') return { width: screen.width / ratio, height: screen.height / ratio };
  const most = Math.max(1, Math.floor(ratio)) / ratio;
  const scale = Math.min(most, room.width / screen.width, room.height / screen.height);
  const whole = (side: number): number => Math.max(1, Math.floor(side * scale * ratio)) / ratio;
  return { width: whole(screen.width), height: whole(screen.height) };
}

/** Pixels a second at which the view goes on when the pointer stands at its very edge. */
const SPEED = 1600;
/** How near to an edge the pointer has to be, in CSS pixels. */
const MARGIN = 48;

/** How fast a view whose picture is larger than itself scrolls with the pointer at this place: nothing in the middle, faster towards its edges. */
export function panSpeed(at: { x: number; y: number }, view: Size): { x: number; y: number } {
  const along = (place: number, side: number): number => {
    const margin = Math.min(MARGIN, side / 4);
    const before = Math.min(Math.max((margin - place) / margin, 0), 1);
    const after = Math.min(Math.max((place - (side - margin)) / margin, 0), 1);
    return (after - before) * SPEED;
  };
  return { x: along(at.x, view.width), y: along(at.y, view.height) };
}
