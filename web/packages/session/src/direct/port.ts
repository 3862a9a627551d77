// Where the frames of a direct path go in and come out.
import { type Bytes } from '../wire/codec';

/** What takes the frames of a direct path. */
export interface Port {
  /** Bytes that the network has not taken yet. */
  readonly buffered: number;
  send(frame: Bytes): void;
  close(): void;
}

/** What the owner of a port wants to hear. */
export interface PortEvents {
  frame(frame: Bytes): void;
  /** It takes more again. */
  free(): void;
  closed(): void;
}
