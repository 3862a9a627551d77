// Holding the pointer: what is asked of the browser, in which words, and what its refusals become.
import { expect, test } from 'vitest';
import { holdPointer, holdsPointer, leavePointer } from '../src/relative';

type Answer = 'yes' | 'unsupported' | 'no';

/** A part of a page of a browser that answers so, one answer for each time it is asked. */
class Stage {
  readonly asked: (PointerLockOptions | undefined)[] = [];
  readonly ownerDocument = Object.assign(new EventTarget(), {
    pointerLockElement: null as unknown,
    exitPointerLock: () => (this.ownerDocument.pointerLockElement = null),
  });

  constructor(
    private readonly answers: Answer[],
    private readonly promises: boolean,
  ) {}

  requestPointerLock(options?: PointerLockOptions): Promise<void> | undefined {
    this.asked.push(options);
    const answer = this.answers.shift();
    if (answer === 'yes') this.ownerDocument.pointerLockElement = this;
    if (this.promises) {
      const name = answer === 'unsupported' ? 'NotSupportedError' : 'SecurityError';
      return answer === 'yes' ? Promise.resolve() : Promise.reject(new DOMException('no', name));
    }
    const event = answer === 'yes' ? 'pointerlockchange' : 'pointerlockerror';
    queueMicrotask(() => this.ownerDocument.dispatchEvent(new Event(event)));
    return undefined;
  }

  get element(): HTMLElement {
    return this as unknown as HTMLElement;
  }
}

test('the mouse is asked for as it counts, and as it is where that does not work', async () => {
  const plain = new Stage(['yes'], true);
  await holdPointer(plain.element);
  expect(plain.asked).toEqual([{ unadjustedMovement: true }]);
  const old = new Stage(['unsupported', 'yes'], true);
  await holdPointer(old.element);
  expect(old.asked).toEqual([{ unadjustedMovement: true }, undefined]);
  expect(holdsPointer(old.element)).toBe(true);
  leavePointer(old.element);
  expect(holdsPointer(old.element)).toBe(false);
});

test('a refusal is not asked again, and is heard', async () => {
  const stage = new Stage(['no', 'yes'], true);
  await expect(holdPointer(stage.element)).rejects.toThrow(DOMException);
  expect(stage.asked.length).toBe(1);
});

test('browsers that answer by an event are understood', async () => {
  await holdPointer(new Stage(['yes'], false).element);
  await expect(holdPointer(new Stage(['no'], false).element)).rejects.toThrow('keeps the pointer');
});

test('what holds nothing gives nothing back', () => {
  const stage = new Stage([], true);
  stage.ownerDocument.pointerLockElement = 'another part of the page';
  leavePointer(stage.element);
  expect(stage.ownerDocument.pointerLockElement).toBe('another part of the page');
});
