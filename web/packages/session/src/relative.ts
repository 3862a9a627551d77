// The relative pointer: the stage holds the browser's pointer (a pointer lock), and the mouse moves the other computer's by steps.

/** Whether this part of the page holds the pointer. */
export function holdsPointer(stage: HTMLElement): boolean {
  return stage.ownerDocument.pointerLockElement === stage;
}

/**
 * Has this part of the page hold the pointer until the technician presses Escape. Rejects when the browser does not allow it: it wants
 * a click first, and for a second after an Escape it refuses.
 */
export async function holdPointer(stage: HTMLElement): Promise<void> {
  try {
    // The other computer gets what the mouse counts: acceleration is its own business.
    await ask(stage, { unadjustedMovement: true });
  } catch (error) {
    if (!(error instanceof DOMException && error.name === 'NotSupportedError')) throw error;
    await ask(stage);
  }
}

/** Gives the pointer back. */
export function leavePointer(stage: HTMLElement): void {
  if (holdsPointer(stage)) stage.ownerDocument.exitPointerLock();
}

/** Browsers that do not answer by a promise do so by an event of the document. */
function ask(stage: HTMLElement, options?: PointerLockOptions): Promise<void> {
  const answer = stage.requestPointerLock(options) as Promise<void> | undefined;
  if (answer !== undefined) return answer;
  const heard = new AbortController();
  const { signal } = heard;
  return new Promise<void>((resolve, reject) => {
    const page = stage.ownerDocument;
    page.addEventListener('pointerlockchange', () => resolve(), { signal });
    page.addEventListener('pointerlockerror', () => reject(new Error('the browser keeps the pointer')), { signal });
  }).finally(() => heard.abort());
}
