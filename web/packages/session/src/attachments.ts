// The parts of the page whose mouse and keyboard are forwarded: let go of while the link is interrupted, taken up again
// by themselves when it goes on.

interface Attachment {
  stage: HTMLElement;
  detach: (() => void) | undefined;
}

export class Attachments {
  private readonly all = new Set<Attachment>();
  private running = false;
  private timer: ReturnType<typeof setTimeout> | undefined;

  constructor(private readonly attach: (stage: HTMLElement) => (() => void) | undefined) {}

  /** Forwards from now on, or from the next `resume`; returns what ends it. */
  add(stage: HTMLElement): () => void {
    const attachment: Attachment = { stage, detach: this.running ? this.attach(stage) : undefined };
    this.all.add(attachment);
    return () => {
      if (this.all.delete(attachment)) attachment.detach?.();
    };
  }

  /** Whether input is forwarded now. */
  get forwarding(): boolean {
    return this.running;
  }

  /** As `pause`, unless `resume` comes within so many milliseconds. */
  pauseAfter(milliseconds: number): void {
    if (this.running) this.timer ??= setTimeout(() => this.pause(), milliseconds);
  }

  /** Lets go of everything for the moment. */
  pause(): void {
    this.stopWaiting();
    this.running = false;
    for (const attachment of this.all) {
      const { detach } = attachment;
      attachment.detach = undefined;
      detach?.();
    }
  }

  resume(): void {
    this.stopWaiting();
    if (this.running) return;
    this.running = true;
    for (const attachment of this.all) attachment.detach = this.attach(attachment.stage);
  }

  private stopWaiting(): void {
    clearTimeout(this.timer);
    this.timer = undefined;
  }
}
