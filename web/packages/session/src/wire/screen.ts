// The picture's messages. Mirrors core/wire/src/message/screen.rs.
import { type Bytes, type Reader, WireError, type Writer } from './codec';

export const MAX_MONITORS = 16;
/** Largest cursor side in pixels. */
export const MAX_CURSOR_SIDE = 256;
/** Largest compressed update in bytes; larger changes travel as several updates. */
export const MAX_UPDATE = 512 * 1024;
const MAX_MONITOR_NAME = 64;

/** A monitor of the end user's desktop, in desktop pixels. */
export interface Monitor {
  /** 0 to 15; 255 is kept for the whole desktop. */
  id: number;
  name: string;
  x: number;
  y: number;
  width: number;
  height: number;
  primary: boolean;
}

/** What a viewer can show as video. */
export const VIDEO_FORMATS = ['none', 'av1'] as const;
export type VideoFormat = (typeof VIDEO_FORMATS)[number];

export function readVideoFormat(r: Reader): VideoFormat {
  const value = r.u8();
  const format = VIDEO_FORMATS[value];
  if (format === undefined) throw new WireError('unknown', `unknown video format ${value}`);
  return format;
}

export function writeVideoFormat(w: Writer, format: VideoFormat): void {
  w.u8(VIDEO_FORMATS.indexOf(format));
}

/** The pointer's picture; width 0 means that the pointer is hidden. */
export interface CursorShape {
  hotX: number;
  hotY: number;
  width: number;
  height: number;
  /** zstd of width × height × 4 bytes RGBA, alpha not multiplied. */
  rgbaZstd: Bytes;
}

/** A change of the picture. It may be applied only by a viewer that holds exactly the picture `base`. */
export interface ScreenUpdate {
  /** Counts from 1 within one opening of the screen. */
  number: number;
  /** 0: nothing needed, start from black at this size. */
  base: number;
  width: number;
  height: number;
  /** More updates of the same capture follow at once. */
  more: boolean;
  /** Bytes of the operations before compression. */
  rawLength: number;
  operationsZstd: Bytes;
}

export function readMonitors(r: Reader): { chosen: number; list: Monitor[] } {
  const chosen = r.u8();
  const count = r.u8();
  if (count > MAX_MONITORS) throw new WireError('too_long', `monitor list is longer than ${MAX_MONITORS}`);
  const list: Monitor[] = [];
  for (let at = 0; at < count; at += 1) {
    const id = r.u8();
    const primary = r.flag('primary');
    const [x, y, width, height] = [r.i16(), r.i16(), r.u16(), r.u16()];
    list.push({ id, name: r.text('monitor name', MAX_MONITOR_NAME), x, y, width, height, primary });
  }
  return { chosen, list };
}

export function writeMonitors(w: Writer, chosen: number, list: readonly Monitor[]): void {
  const sent = list.slice(0, MAX_MONITORS);
  w.u8(chosen).u8(sent.length);
  for (const monitor of sent) {
    w.u8(monitor.id).flag(monitor.primary).i16(monitor.x).i16(monitor.y);
    w.u16(monitor.width).u16(monitor.height).text(monitor.name, MAX_MONITOR_NAME);
  }
}

export function readCursorShape(r: Reader): CursorShape {
  const [hotX, hotY, width, height] = [r.u16(), r.u16(), r.u16(), r.u16()];
  if (width > MAX_CURSOR_SIDE || height > MAX_CURSOR_SIDE) {
    throw new WireError('too_long', `cursor side is longer than ${MAX_CURSOR_SIDE}`);
  }
  return { hotX, hotY, width, height, rgbaZstd: r.remaining() };
}

export function writeCursorShape(w: Writer, shape: CursorShape): void {
  w.u16(shape.hotX).u16(shape.hotY).u16(shape.width).u16(shape.height).raw(shape.rgbaZstd);
}

export function readScreenUpdate(r: Reader): ScreenUpdate {
  const update = {
    number: r.u32(),
    base: r.u32(),
    width: r.u16(),
    height: r.u16(),
    more: r.flag('more'),
    rawLength: r.u32(),
    operationsZstd: r.remaining(),
  };
  if (update.operationsZstd.length > MAX_UPDATE) {
    throw new WireError('too_long', `screen update is longer than ${MAX_UPDATE}`);
  }
  return update;
}

export function writeScreenUpdate(w: Writer, update: ScreenUpdate): void {
  w.u32(update.number).u32(update.base).u16(update.width).u16(update.height);
  w.flag(update.more).u32(update.rawLength).raw(update.operationsZstd);
}

/** How long one stage took over some captures, in microseconds. */
export interface Stage {
  mean: number;
  longest: number;
}

/** How long the applet's stages took over the captures since its last report. */
export interface ScreenTimings {
  captures: number;
  /** From the news that something was painted to the capture. */
  wait: Stage;
  capture: Stage;
  encode: Stage;
  /** From there until the network has it, sealed. */
  send: Stage;
}

export function readScreenTimings(r: Reader): ScreenTimings {
  const stage = (): Stage => ({ mean: r.u32(), longest: r.u32() });
  return { captures: r.u16(), wait: stage(), capture: stage(), encode: stage(), send: stage() };
}

export function writeScreenTimings(w: Writer, { captures, wait, capture, encode, send }: ScreenTimings): void {
  w.u16(captures);
  for (const stage of [wait, capture, encode, send]) w.u32(stage.mean).u32(stage.longest);
}
