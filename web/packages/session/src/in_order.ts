// Puts answers that come in any order back into the order in which they were asked for.

interface Slot {
  deliver: (() => void) | undefined;
}

export class InOrder {
  private slots: Slot[] = [];
  private idle: (() => void)[] = [];

  /** Calls `done` or `failed` once `work` is settled and all earlier ones have been delivered. */
  push<T>(work: Promise<T>, done: (value: T) => void, failed: (error: unknown) => void): void {
    const slot: Slot = { deliver: undefined };
    this.slots.push(slot);
    work.then(
      (value) => {
        slot.deliver = () => done(value);
        this.drain();
      },
      (error: unknown) => {
        slot.deliver = () => failed(error);
        this.drain();
      },
    );
  }

  /** Resolves when nothing is under way. */
  whenEmpty(): Promise<void> {
    if (this.slots.length === 0) return Promise.resolve();
    return new Promise((resolve) => this.idle.push(resolve));
  }

  private drain(): void {
    for (let head = this.slots[0]; head?.deliver !== undefined; head = this.slots[0]) {
      this.slots.shift();
      head.deliver();
    }
    if (this.slots.length === 0) for (const resolve of this.idle.splice(0)) resolve();
  }
}
