// The screen as a session shows it: says beforehand what it wants to see, opens it, takes what comes while it may be shown, and goes on
// without video where that fails again and again.
import { type CursorSink } from './screen/cursor';
import { type OpenFilm } from './screen/films';
import { ScreenError } from './screen/picture';
import { type Placed } from './screen/size';
import { cursorPixels, type ScreenEvents, ScreenView, type Surface } from './screen/view';
import { type Zstd } from './screen/zstd';
import { WHOLE_DESKTOP } from './wire/input';
import { type Message } from './wire/message';
import { type CursorShape, type ScreenUpdate, type VideoFormat } from './wire/screen';

/** Two failures of video within so many milliseconds, and none is asked for any more. */
const VIDEO_FAULTS_APART = 60_000;

/** What a screen is part of. */
export interface ViewingOf {
  readonly surface: Surface;
  readonly cursor: CursorSink | undefined;
  /** Whether the end user lets the technician see the screen. */
  allowed(): boolean;
  send(message: Message): void;
  /** The screen begins anew at the applet. */
  opened(): void;
  /** The first picture since then is drawn. */
  first(): void;
  /** How many milliseconds a capture took to decode and to draw. */
  drawn(decode: number, draw: number): void;
  size(width: number, height: number): void;
  /** Nothing that comes can be shown, however often it is asked for. */
  hopeless(): void;
}

export class Viewing {
  private zstd: Zstd | undefined;
  private view: ScreenView | undefined;
  /** Undefined where video is not decoded, or has failed too often. */
  private films: OpenFilm | undefined;
  private videoFailedAt: number | undefined;
  private monitor = WHOLE_DESKTOP;
  /** What the applet was told to open with the grant. */
  private wanted: { monitor: number; video: VideoFormat } | undefined;
  /** Something of it has come before the word of the grant. */
  private early = false;
  /** Nothing was drawn since the screen began anew. */
  private blank = false;

  constructor(private readonly of: ViewingOf) {}

  /** Places that are shown as video. */
  get filmCount(): number {
    return this.view?.filmCount ?? 0;
  }

  /** The decoders are there. */
  ready(zstd: Zstd, films: OpenFilm | undefined): void {
    this.zstd = zstd;
    this.films = films;
    const events: ScreenEvents = {
      seen: (number) => {
        this.of.send({ kind: 'screen_seen', number });
        if (this.blank) this.of.first();
        this.blank = false;
      },
      resync: () => this.of.send({ kind: 'screen_resync' }),
      drawn: (decode, draw) => this.of.drawn(decode, draw),
      size: (width, height) => this.of.size(width, height),
      corrupt: (error) => this.corrupt(error),
      hopeless: () => this.of.hopeless(),
    };
    this.view = new ScreenView(zstd, this.of.surface, events, films);
    if (this.of.allowed()) this.open();
  }

  /** Shows another monitor, if not now then when the end user allows it. */
  select(monitor: number): void {
    this.monitor = monitor;
    if (this.of.allowed()) this.open();
  }

  /** Desktop view is about to be asked for: the applet hears what to open with the grant, and the picture comes a round trip sooner. */
  asking(): void {
    this.early = false;
    this.wanted = this.view === undefined ? undefined : { monitor: this.monitor, video: this.video };
    if (this.wanted !== undefined) this.of.send({ kind: 'screen_wanted', ...this.wanted });
  }

  /** Desktop view was granted. */
  granted(): void {
    const { view, wanted, early } = this;
    this.wanted = undefined;
    if (view === undefined || wanted?.monitor !== this.monitor || wanted.video !== this.video) {
      this.open();
      return;
    }
    this.begin(view, early ? { kind: 'screen_resync' } : undefined);
  }

  /** The pairing is over: what was said in it is forgotten. */
  startOver(): void {
    this.wanted = undefined;
  }

  /** The technician no longer may see it. */
  withdrawn(): void {
    this.view?.closed();
  }

  /** The link is back; what was on its way is lost. */
  resumed(): void {
    if (this.view !== undefined && this.of.allowed()) this.begin(this.view, { kind: 'screen_resync' });
  }

  /** The first picture of this monitor is about to come. */
  expect(list: readonly Placed[], chosen: number): void {
    if (this.of.allowed()) this.view?.expect(list, chosen);
  }

  update(update: ScreenUpdate): void {
    // What comes after the end of the right is not shown, nor what has overtaken the word of the grant on a path without order.
    if (this.of.allowed()) this.view?.apply(update);
    else this.early = true;
  }

  cursorShape(shape: CursorShape): void {
    const { zstd } = this;
    const { cursor } = this.of;
    if (zstd === undefined || cursor === undefined) return;
    try {
      const pixels = cursorPixels(zstd, shape);
      cursor.shape(pixels === undefined ? undefined : { ...shape, pixels });
    } catch (error) {
      if (!(error instanceof ScreenError)) throw error;
      console.warn(`a pointer's picture is left out: ${error.message}`);
    }
  }

  private get video(): VideoFormat {
    return this.films === undefined ? 'none' : 'av1';
  }

  private open(): void {
    // Without a decoder nothing could be shown yet; it opens the screen when it is ready.
    if (this.view === undefined) return;
    this.begin(this.view, { kind: 'screen_open', monitor: this.monitor, video: this.video });
  }

  /** Pictures come anew, after this word if one is needed. */
  private begin(view: ScreenView, word: Message | undefined): void {
    view.opened();
    this.blank = true;
    if (word !== undefined) this.of.send(word);
    this.of.opened();
  }

  /** The view asks for everything anew; where video fails again and again, it goes on without. */
  private corrupt(error: ScreenError): void {
    console.warn(`the screen is asked for anew: ${error.message}`);
    if (error.fault !== 'video' || this.films === undefined) return;
    const [before, now] = [this.videoFailedAt, performance.now()];
    this.videoFailedAt = now;
    if (before === undefined || now - before > VIDEO_FAULTS_APART) return;
    this.films = undefined;
    this.open();
  }
}
