// How large the remote screen is drawn.
export type Scaling = 'fit' | 'actual';
export interface Size { width: number; height: number }

/** CSS size for a screen in a room: never larger than life, never distorted, whole pixels. */
export function drawnSize(screen: Size, room: Size, scaling: Scaling): Size {
  if (scaling === 'actual' || screen.width === 0 || screen.height === 0) return screen;
  const scale = Math.min(1, room.width / screen.width, room.height / screen.height);
  return { width: Math.max(1, Math.floor(screen.width * scale)), height: Math.max(1, Math.floor(screen.height * scale)) };
}
