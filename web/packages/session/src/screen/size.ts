// How large the picture of a monitor is, or of all of them together.
import { WHOLE_DESKTOP } from '../wire/input';

/** A monitor's place on the desktop, in pixels. */
export interface Placed {
  id: number;
  x: number;
  y: number;
  width: number;
  height: number;
}

/** The size in pixels of what is shown when this monitor is chosen; 0 × 0 when it is not in the list. */
export function sizeOf(list: readonly Placed[], chosen: number): { width: number; height: number } {
  const shown = chosen === WHOLE_DESKTOP ? list : list.filter((monitor) => monitor.id === chosen);
  if (shown.length === 0) return { width: 0, height: 0 };
  const side = (start: (monitor: Placed) => number, length: (monitor: Placed) => number): number =>
    Math.max(...shown.map((monitor) => start(monitor) + length(monitor))) - Math.min(...shown.map(start));
  return {
    width: side(({ x }) => x, ({ width }) => width), // prettier-ignore
    height: side(({ y }) => y, ({ height }) => height), // prettier-ignore
  };
}
