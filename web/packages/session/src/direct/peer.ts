// What is used of WebRTC, so that a test can bring its own, and how a browser is asked for it.
import { keepChannel } from '../sockets';
import { type Relaying } from '../wire/gateway';

/** What is used of an `RTCDataChannel`. */
export interface PeerChannel {
  binaryType: string;
  bufferedAmountLowThreshold: number;
  readonly bufferedAmount: number;
  readonly readyState: string;
  onopen: ((event: never) => void) | null;
  onmessage: ((event: never) => void) | null;
  onclose: ((event: never) => void) | null;
  onbufferedamountlow: ((event: never) => void) | null;
  send(bytes: Uint8Array<ArrayBuffer>): void;
  close(): void;
}

/** What is used of an `RTCPeerConnection`. */
export interface Peer {
  readonly connectionState: string;
  readonly sctp?: { readonly transport: { readonly iceTransport?: EventTarget } } | null;
  onicecandidate: ((event: never) => void) | null;
  onicecandidateerror: ((event: never) => void) | null;
  onconnectionstatechange: ((event: never) => void) | null;
  createDataChannel(label: string, options: RTCDataChannelInit): PeerChannel;
  createOffer(): Promise<RTCSessionDescriptionInit>;
  createAnswer(): Promise<RTCSessionDescriptionInit>;
  setLocalDescription(description: RTCSessionDescriptionInit): Promise<void>;
  setRemoteDescription(description: RTCSessionDescriptionInit): Promise<void>;
  addIceCandidate(candidate: RTCIceCandidateInit): Promise<void>;
  getStats(): Promise<RTCStatsReport>;
  close(): void;
}

export type PeerFactory = (configuration: RTCConfiguration) => Peer;

/** Label of the data channel: its only content is sealed frames of this link. */
export const LABEL = 'belay-link/2';
export const CHANNEL: RTCDataChannelInit = { negotiated: true, id: 0, ordered: false, maxRetransmits: 0 };

/** `undefined`: this browser has no peer connections, or its user has switched them off. */
export function browserPeer(): PeerFactory | undefined {
  if (typeof RTCPeerConnection === 'undefined') return undefined;
  return (configuration) => {
    const peer = new RTCPeerConnection(configuration);
    return Object.assign(peer, {
      createDataChannel: (label: string, options: RTCDataChannelInit) =>
        keepChannel(RTCPeerConnection.prototype.createDataChannel.call(peer, label, options)),
    });
  };
}

/** The gateway's servers as a browser wants them. */
export function iceServers(relaying: Relaying | undefined): RTCIceServer[] {
  if (relaying === undefined) return [];
  const { user, password, servers } = relaying;
  const list: RTCIceServer[] = [];
  for (const url of servers) {
    if (/^stuns?:/.test(url)) list.push({ urls: url });
    else if (/^turns?:/.test(url)) list.push({ urls: url, username: user, credential: password });
  }
  return list;
}
