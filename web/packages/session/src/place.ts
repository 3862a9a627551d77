// Where a point of the page lies in the remote picture.
import { type Place } from './wire/input';

export interface Size {
  width: number;
  height: number;
}

export interface Box extends Size {
  left: number;
  top: number;
}

/** Values of CSS `object-fit`. */
export type Fit = 'fill' | 'contain' | 'cover' | 'none' | 'scale-down' | (string & {});

/** Where a picture of this size is drawn inside a box that starts at `corner`. */
export function pictureBox(corner: { left: number; top: number }, box: Size, picture: Size, fit: Fit): Box {
  const contain = Math.min(box.width / picture.width, box.height / picture.height);
  let scale: number;
  if (fit === 'contain') scale = contain;
  else if (fit === 'cover') scale = Math.max(box.width / picture.width, box.height / picture.height);
  else if (fit === 'none') scale = 1;
  else if (fit === 'scale-down') scale = Math.min(contain, 1);
  else return { ...corner, width: box.width, height: box.height };
  const [width, height] = [picture.width * scale, picture.height * scale];
  return {
    left: corner.left + (box.width - width) / 2,
    top: corner.top + (box.height - height) / 2,
    width,
    height,
  };
}

/** The place of a point of the page; points beside the picture count as its nearest edge. */
export function placeOf(point: { x: number; y: number }, box: Box, picture: Size, monitor: number): Place {
  return {
    monitor,
    x: along(point.x - box.left, box.width, picture.width),
    y: along(point.y - box.top, box.height, picture.height),
  };
}

/** `round(column × 65535 / (width − 1))` of the column under the point. */
function along(offset: number, shown: number, size: number): number {
  if (size < 2 || shown <= 0) return 0;
  const column = Math.min(Math.max(Math.floor((offset * size) / shown), 0), size - 1);
  return Math.round((column * 65535) / (size - 1));
}
