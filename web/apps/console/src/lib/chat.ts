// What may be said in one chat line, and when to tell the other side that somebody is writing.

/** UTF-8 bytes a line may have: four to a character at most. */
export const CHAT_LIMIT_BYTES = 4000;
/** The limit as told to people, in characters. */
export const CHAT_LIMIT = 1000;

export function tooLong(text: string): boolean {
  return new TextEncoder().encode(text.trim()).length > CHAT_LIMIT_BYTES;
}

const SAY_AGAIN_MS = 2000;
const QUIET_MS = 3000;

/** Says "writing" at the first key and every two seconds, and "no longer" after three quiet ones. */
export class TypingPace {
  #tell: (on: boolean) => void;
  #said: number | undefined;
  #quiet: ReturnType<typeof setTimeout> | undefined;

  constructor(tell: (on: boolean) => void) {
    this.#tell = tell;
  }

  /** A key was pressed; `now` in milliseconds of any steady clock. */
  typed(now: number): void {
    if (this.#said === undefined || now - this.#said >= SAY_AGAIN_MS) {
      this.#said = now;
      this.#tell(true);
    }
    clearTimeout(this.#quiet);
    this.#quiet = setTimeout(() => this.stop(), QUIET_MS);
  }

  stop(): void {
    clearTimeout(this.#quiet);
    if (this.#said === undefined) return;
    this.#said = undefined;
    this.#tell(false);
  }
}
