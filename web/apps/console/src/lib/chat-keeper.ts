// Stores each chat line at the website at once, and keeps trying for a while where that fails.
import type { ChatLine, Result } from '@belay/api';

/** `keeping`: on its way; `late`: a try has failed, more follow; `failed`: given up until asked again. */
export type Kept = 'keeping' | 'late' | 'kept' | 'failed';

/** Pauses between tries, in milliseconds: about two minutes in all. */
export const PAUSES_MS = [500, 1000, 2000, 4000, 8000, 15_000, 30_000, 60_000];

export class ChatKeeper {
  #post: (line: ChatLine) => Promise<Result<unknown>>;
  #tell: (lineId: string, kept: Kept) => void;
  #open = new Map<string, { line: ChatLine; running: boolean }>();

  constructor(post: (line: ChatLine) => Promise<Result<unknown>>, tell: (lineId: string, kept: Kept) => void) {
    this.#post = post;
    this.#tell = tell;
  }

  /** How many lines are not stored yet. */
  get left(): number {
    return this.#open.size;
  }

  keep(line: ChatLine): void {
    this.#open.set(line.line_id, { line, running: false });
    void this.#run(line.line_id);
  }

  /** Tries again what had been given up. */
  again(): void {
    for (const id of this.#open.keys()) void this.#run(id);
  }

  async #run(id: string): Promise<void> {
    const entry = this.#open.get(id);
    if (!entry || entry.running) return;
    entry.running = true;
    this.#tell(id, 'keeping');
    for (const pause of [...PAUSES_MS, undefined]) {
      const result = await this.#post(entry.line);
      if (result.ok) {
        this.#open.delete(id);
        this.#tell(id, 'kept');
        return;
      }
      if (pause === undefined || !worthAnotherTry(result.failure.status)) break;
      this.#tell(id, 'late');
      await new Promise((resolve) => setTimeout(resolve, Math.max(pause, (result.failure.retryAfter ?? 0) * 1000)));
    }
    entry.running = false;
    this.#tell(id, 'failed');
  }
}

function worthAnotherTry(status: number): boolean {
  return status === 0 || status === 408 || status === 429 || status >= 500;
}
