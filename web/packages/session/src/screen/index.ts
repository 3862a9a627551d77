// The remote screen: decoding, drawing, and the pointer.
export * from './films';
export * from './picture';
export * from './view';
export * from './zstd';
export { browserFilms } from './webcodecs';
export { CanvasSurface } from './canvas';
export { CanvasCursor, type CursorPicture, type CursorSink } from './cursor';
