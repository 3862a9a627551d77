// When the page shows what the end user has decided, and how the link stands. Showing keeps the page busy for some milliseconds, in which
// it neither sends nor draws: what a decision has the link send goes before, and the first picture, if that comes at once.
import type { ConsentState, LinkState, Right } from '@belay/session';
import { isConnecting } from './tools';

/** Milliseconds after which what a decision, or a picture, has the link send is sealed and gone. */
export const AFTER_SENDING_MS = 2;
/** Milliseconds that a grant of the view waits for its first picture at most: nobody notices so few. */
export const WITH_PICTURE_MS = 60;

/** Milliseconds that a step of connecting has to last to be shown. */
export const STEP_MS = 150;

/** The steps of connecting follow one another in milliseconds; showing each would only hold the next one up. */
export class Steps {
  #timer: ReturnType<typeof setTimeout> | undefined;

  /** The link stands differently from what is shown: `show` shows it, now or once it has lasted. `detail`: what there is to say about it. */
  take(shown: LinkState, state: LinkState, detail: string | undefined, show: () => void): void {
    this.forget();
    if (detail === undefined && isConnecting(shown) && isConnecting(state)) this.#timer = setTimeout(show, STEP_MS);
    else show();
  }

  /** What waits is not shown. */
  forget(): void {
    clearTimeout(this.#timer);
  }
}

export class Decisions {
  #show: (right: Right, state: ConsentState) => void;
  #sees: () => boolean;
  #waiting: [Right, ConsentState][] = [];
  #timer: ReturnType<typeof setTimeout> | undefined;
  #showAt = Number.POSITIVE_INFINITY;

  /** `show` shows a decision; `sees` says whether the page shows the view as granted. */
  constructor(show: (right: Right, state: ConsentState) => void, sees: () => boolean) {
    this.#show = show;
    this.#sees = sees;
  }

  /** A right stands differently from now on. All is shown in its order. */
  take(right: Right, state: ConsentState): void {
    this.#waiting.push([right, state]);
    // Control that comes with the view is shown with it, and not without.
    this.#showWithin(state === 'granted' && !this.#sees() ? WITH_PICTURE_MS : AFTER_SENDING_MS);
  }

  /** The first picture is drawn: what waits for it is shown. */
  picture(): void {
    if (this.#waiting.length > 0) this.#showWithin(AFTER_SENDING_MS);
  }

  #showWithin(milliseconds: number): void {
    const at = performance.now() + milliseconds;
    if (this.#showAt <= at) return;
    clearTimeout(this.#timer);
    this.#showAt = at;
    this.#timer = setTimeout(() => this.#flush(), milliseconds);
  }

  #flush(): void {
    const waiting = this.#waiting;
    this.forget();
    for (const [right, state] of waiting) this.#show(right, state);
  }

  /** Nothing that waits is true any more. */
  forget(): void {
    clearTimeout(this.#timer);
    this.#showAt = Number.POSITIVE_INFINITY;
    this.#waiting = [];
  }
}
