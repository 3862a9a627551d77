// A second connection to a gateway, made while the first may be dead. Nothing is said on it until it is known which of them lives: the
// one that answers first is taken. docs/protocol/gateway.md, "Coming back".
import { type Connect, gatewayUrl, type Socket } from './gateway';
import { SUBPROTOCOL } from './wire/gateway';

/**
 * A try that is not answered within so many milliseconds is begun anew: the system repeats what was lost ever more rarely, and a network
 * that comes back would wait for it. Browsers make one connection to a server after the other, so the one before is given up.
 */
const AGAIN = 2000;
/** How long one that stands is kept without a word. */
const KEPT = 4000;

export class Second {
  private socket: Socket | undefined;
  private timer: ReturnType<typeof setTimeout> | undefined;
  private stands = false;

  /** `opened` is told each time one stands. Throws `TypeError` when the address is none. */
  constructor(
    private readonly connect: Connect,
    address: string,
    private readonly opened: () => void,
  ) {
    this.begin(gatewayUrl(address));
  }

  /** The connection that stands, for somebody who uses it from now on. */
  take(): Socket | undefined {
    const { socket } = this;
    if (!this.stands || socket === undefined) return undefined;
    this.socket = undefined;
    this.close();
    socket.onopen = null;
    socket.onclose = null;
    return socket;
  }

  /** It is not wanted any more. */
  close(): void {
    clearTimeout(this.timer);
    this.drop();
  }

  private begin(url: string): void {
    this.drop();
    this.timer = setTimeout(() => this.begin(url), AGAIN);
    const socket = this.connect(url, SUBPROTOCOL);
    this.socket = socket;
    socket.onerror = () => undefined;
    // What fails at once is tried again in its time.
    socket.onclose = () => undefined;
    socket.onopen = () => {
      clearTimeout(this.timer);
      this.stands = true;
      this.timer = setTimeout(() => this.begin(url), KEPT);
      this.opened();
    };
  }

  private drop(): void {
    const { socket } = this;
    this.stands = false;
    this.socket = undefined;
    if (socket === undefined) return;
    socket.onopen = null;
    socket.onclose = null;
    socket.close();
  }
}
