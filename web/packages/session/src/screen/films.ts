// The places that are shown as video at the moment. Video covers the picture, it does not change it: when a film is over
// the picture is seen again, exact. Specification: docs/protocol/screen.md.
import { type FilmOperation, type Rectangle, ScreenError } from './picture';

/** A decoded frame. A page draws it; whoever holds it closes it. */
export type Still = VideoFrame;

/** Decodes one stream, in order. */
export interface FilmDecoder {
  /** Resolves to this frame once it is decoded; rejects when it cannot be. `number` is unique within the stream. */
  decode(bytes: Uint8Array<ArrayBuffer>, key: boolean, number: number): Promise<Still>;
  /** What is not decoded yet never will be. */
  close(): void;
}

/** Makes a decoder for pictures of this size. */
export type OpenFilm = (width: number, height: number) => FilmDecoder;

/** Streams at once. */
const MAX_STREAMS = 4;
/** Pixels of one film. */
const MAX_FILM_PIXELS = 1 << 24;
/** A frame that takes longer than this, in milliseconds, will never come. */
const PATIENCE = 4000;

interface Film {
  to: Rectangle;
  number: number;
  decoder: FilmDecoder;
}

/** What a capture changes about films, to be shown once all its frames are decoded. */
export interface Scene {
  /** By stream: the newest frame and its place, or where a film that is over is to be uncovered. */
  changes: Map<number, { to: Rectangle; still: Promise<Still> | undefined }>;
  uncovered: Rectangle[];
}

export class Films {
  private readonly live = new Map<number, Film>();
  /** What covers the picture now. */
  private readonly stills = new Map<number, { to: Rectangle; still: Still }>();

  constructor(private readonly open: OpenFilm | undefined) {}

  /** How many go on. */
  get count(): number {
    return this.live.size;
  }

  /** Hands a frame to its decoder, or ends a film. Throws `ScreenError`. */
  take(operation: FilmOperation, scene: Scene): void {
    const { stream } = operation;
    if (operation.kind === 'end') {
      const film = this.live.get(stream);
      if (film === undefined) throw new ScreenError('video', `stream ${stream} ends and has not begun`);
      film.decoder.close();
      this.live.delete(stream);
      this.drop(scene, stream);
      scene.changes.set(stream, { to: film.to, still: undefined });
      scene.uncovered.push(film.to);
      return;
    }
    const { to, key, number, bytes } = operation;
    const film = key ? this.begin(operation, scene) : this.live.get(stream);
    if (film === undefined || !(key || (number === film.number + 1 && same(to, film.to)))) {
      throw new ScreenError('video', `frame ${number} of stream ${stream} does not go on from what was there`);
    }
    film.number = number;
    // An older frame of the same capture is decoded, for the next builds on it, but not shown.
    this.drop(scene, stream);
    scene.changes.set(stream, { to, still: inTime(film.decoder.decode(bytes, key, number)) });
  }

  /** Resolves when all frames of the scene are decoded; rejects with `ScreenError` when one cannot be. */
  async decoded(scene: Scene): Promise<Map<number, Still>> {
    const pending = [...scene.changes].map(async ([stream, { still }]) => [stream, await still] as const);
    try {
      const decoded = await Promise.all(pending);
      return new Map(decoded.flatMap(([stream, still]) => (still === undefined ? [] : [[stream, still] as const])));
    } catch (cause) {
      if (cause instanceof ScreenError) throw cause;
      throw new ScreenError('video', 'a frame of video cannot be decoded', { cause });
    }
  }

  /** Takes the scene's decoded frames over, and returns what is to be drawn over what has changed of the picture. */
  show(scene: Scene, decoded: ReadonlyMap<number, Still>, dirty: readonly Rectangle[]): { to: Rectangle; still: Still }[] {
    for (const [stream, { to }] of scene.changes) {
      this.stills.get(stream)?.still.close();
      this.stills.delete(stream);
      const still = decoded.get(stream);
      if (still !== undefined) this.stills.set(stream, { to, still });
    }
    const shown = [...this.stills].sort(([a], [b]) => a - b);
    const due = shown.filter(([stream, { to }]) => decoded.has(stream) || dirty.some((changed) => overlap(changed, to)));
    return due.map(([, covering]) => covering);
  }

  /** No film goes on; what is being decoded is thrown away. */
  clear(): void {
    for (const { decoder } of this.live.values()) decoder.close();
    this.live.clear();
    for (const { still } of this.stills.values()) still.close();
    this.stills.clear();
  }

  /** Frees the frames of a scene that will not be shown. */
  drop(scene: Scene, only?: number): void {
    for (const [stream, { still }] of scene.changes) {
      if (only !== undefined && stream !== only) continue;
      void still?.then((frame) => frame.close()).catch(() => undefined);
      scene.changes.delete(stream);
    }
  }

  private begin({ stream, to }: FilmOperation & { kind: 'frame' }, scene: Scene): Film {
    if (this.open === undefined) throw new ScreenError('video', 'video that was not asked for');
    if (stream >= MAX_STREAMS) throw new ScreenError('video', `stream ${stream} of at most ${MAX_STREAMS}`);
    if (to.width * to.height > MAX_FILM_PIXELS) {
      throw new ScreenError('video', `a film of ${to.width} × ${to.height} is too large`);
    }
    const before = this.live.get(stream);
    if (before !== undefined) {
      before.decoder.close();
      scene.uncovered.push(before.to);
    }
    const film = { to, number: 0, decoder: this.openDecoder(this.open, to) };
    this.live.set(stream, film);
    return film;
  }

  private openDecoder(open: OpenFilm, { width, height }: Rectangle): FilmDecoder {
    try {
      return open(width, height);
    } catch (cause) {
      throw new ScreenError('video', 'this browser opens no decoder for the video', { cause });
    }
  }
}

export function emptyScene(): Scene {
  return { changes: new Map(), uncovered: [] };
}

function same(a: Rectangle, b: Rectangle): boolean {
  return a.x === b.x && a.y === b.y && a.width === b.width && a.height === b.height;
}

function overlap(a: Rectangle, b: Rectangle): boolean {
  return a.x < b.x + b.width && b.x < a.x + a.width && a.y < b.y + b.height && b.y < a.y + a.height;
}

function inTime(still: Promise<Still>): Promise<Still> {
  const frame = new Promise<Still>((resolve, reject) => {
    const timer = setTimeout(() => {
      reject(new ScreenError('video', 'a frame of video was not decoded in time'));
      void still.then((late) => late.close()).catch(() => undefined);
    }, PATIENCE);
    still.then(resolve, reject).finally(() => clearTimeout(timer));
  });
  // Whoever shows it hears of the failure; if nobody does any more, nobody needs to.
  frame.catch(() => undefined);
  return frame;
}
