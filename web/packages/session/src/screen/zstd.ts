// Decompresses zstd with hard limits: the caller says how long the result is, and nothing longer is ever made.
import { fromBase64 } from '../wire/encoding';
import { type Bytes } from '../wire/codec';
import { ZSTD_WASM } from './zstd_wasm';

/** Most bytes that one decompression may make. */
export const MAX_RAW = 128 * 1024 * 1024;
/** What a usual update takes, packed and unpacked. */
const [USUAL_FROM, USUAL_TO] = [256 * 1024, 1536 * 1024];
/** Buffers up to this size are kept for the next time. */
const KEEP = 32 * 1024 * 1024;

/** What did not decompress to what it claimed to be. */
export class ZstdError extends Error {
  override readonly name = 'ZstdError';
}

interface Exports {
  memory: WebAssembly.Memory;
  malloc(size: number): number;
  free(address: number): void;
  ZSTD_isError(code: number): number;
  ZSTD_decompress(to: number, toSize: number, from: number, fromSize: number): number;
}

/** A piece of the decoder's memory that grows as needed and is used again. */
class Area {
  address = 0;
  private size = 0;

  constructor(private readonly wasm: Exports) {}

  atLeast(size: number): number {
    if (size > this.size || this.address === 0) {
      this.release();
      this.address = this.wasm.malloc(size) >>> 0;
      if (this.address === 0) throw new ZstdError(`no memory for ${size} bytes`);
      this.size = size;
    }
    return this.address;
  }

  releaseIfLarge(): void {
    if (this.size > KEEP) this.release();
  }

  private release(): void {
    if (this.address !== 0) this.wasm.free(this.address);
    this.address = 0;
    this.size = 0;
  }
}

export class Zstd {
  private readonly from: Area;
  private readonly to: Area;

  private constructor(private readonly wasm: Exports) {
    this.from = new Area(wasm);
    this.to = new Area(wasm);
    this.from.atLeast(USUAL_FROM);
    this.to.atLeast(USUAL_TO);
  }

  /** Makes a decoder. Compiles under `script-src 'wasm-unsafe-eval'` and fetches nothing. */
  static async create(): Promise<Zstd> {
    const env = { emscripten_notify_memory_growth: (): void => undefined };
    const { instance } = await WebAssembly.instantiate(fromBase64(ZSTD_WASM), { env });
    return new Zstd(instance.exports as unknown as Exports);
  }

  /**
   * Exactly `rawLength` bytes, or `ZstdError`. The result is a view of the decoder's memory: it is good until the next call.
   */
  decode(compressed: Uint8Array, rawLength: number): Bytes {
    if (rawLength > MAX_RAW) throw new ZstdError(`${rawLength} bytes are more than ${MAX_RAW}`);
    const wasm = this.wasm;
    this.to.releaseIfLarge();
    const from = this.from.atLeast(compressed.length + 1);
    const to = this.to.atLeast(rawLength + 1);
    new Uint8Array(wasm.memory.buffer).set(compressed, from);
    let length: number;
    try {
      length = wasm.ZSTD_decompress(to, rawLength, from, compressed.length) >>> 0;
    } catch (cause) {
      throw new ZstdError('the decoder failed', { cause });
    }
    if (wasm.ZSTD_isError(length) !== 0) throw new ZstdError(`not ${rawLength} bytes of zstd`);
    if (length !== rawLength) throw new ZstdError(`${length} bytes where ${rawLength} were announced`);
    return new Uint8Array(wasm.memory.buffer as ArrayBuffer, to, rawLength);
  }
}

let shared: Promise<Zstd> | undefined;

/** The page's decoder, made at the first call. */
export function sharedZstd(): Promise<Zstd> {
  shared ??= Zstd.create();
  return shared;
}
