// Decodes films with the browser's own decoders.
import { type FilmDecoder, type OpenFilm, type Still } from './films';

/** AV1, profile 1 (4:4:4), level 4.0, main tier, 8 bits. */
const CODEC = 'av01.1.08M.08';

function settings(width: number, height: number): VideoDecoderConfig {
  return { codec: CODEC, codedWidth: width, codedHeight: height, optimizeForLatency: true };
}

class BrowserDecoder implements FilmDecoder {
  private readonly decoder: VideoDecoder;
  private readonly waiting = new Map<number, { resolve: (still: Still) => void; reject: (error: unknown) => void }>();

  constructor(width: number, height: number) {
    this.decoder = new VideoDecoder({
      output: (frame) => {
        const waiting = this.waiting.get(frame.timestamp);
        this.waiting.delete(frame.timestamp);
        if (waiting === undefined) frame.close();
        else waiting.resolve(frame);
      },
      error: (error) => this.fail(error),
    });
    this.decoder.configure(settings(width, height));
  }

  decode(data: Uint8Array<ArrayBuffer>, key: boolean, number: number): Promise<Still> {
    return new Promise((resolve, reject) => {
      this.waiting.set(number, { resolve, reject });
      try {
        this.decoder.decode(new EncodedVideoChunk({ type: key ? 'key' : 'delta', timestamp: number, data }));
      } catch (error) {
        this.fail(error);
      }
    });
  }

  close(): void {
    if (this.decoder.state !== 'closed') this.decoder.close();
    this.fail(new DOMException('the film is over', 'AbortError'));
  }

  private fail(error: unknown): void {
    for (const { reject } of this.waiting.values()) reject(error);
    this.waiting.clear();
  }
}

let shared: Promise<OpenFilm | undefined> | undefined;

/** What makes decoders, if this browser has the one that is needed; the browser is asked once. */
export function browserFilms(): Promise<OpenFilm | undefined> {
  shared ??= askBrowser();
  return shared;
}

async function askBrowser(): Promise<OpenFilm | undefined> {
  if (typeof VideoDecoder === 'undefined') return undefined;
  try {
    const { supported } = await VideoDecoder.isConfigSupported(settings(640, 360));
    return supported === true ? (width, height) => new BrowserDecoder(width, height) : undefined;
  } catch {
    return undefined;
  }
}
